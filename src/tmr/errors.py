"""The one exception that commands show to people as a single line, and checks that raise it."""

from collections.abc import Iterable
from typing import Any


class InputError(ValueError):
    """What a user gave cannot be used.

    The message says what was found, what was expected and, where there is one, the command that
    mends it. Commands print it on one line and exit with code 2; library callers catch it.
    """


def whole_number(name: str, value: Any, low: int = 1) -> int:
    """``value`` as an int, those of NumPy among them.

    Raises:
        InputError: it is no whole number, or below ``low``.
    """
    whole = hasattr(value, "__index__") and not isinstance(value, bool)
    if not whole or int(value) < low:
        raise InputError(f"{name}={value!r}: expected a whole number, at least {low}")
    return int(value)


def strings(name: str, values: Any) -> list[str]:
    """The strings of an iterable; one string stands for a list of it.

    Raises:
        InputError: something that is no string.
    """
    listed = [values] if isinstance(values, str) or not isinstance(values, Iterable) else values
    found = list(listed)
    if not all(isinstance(value, str) for value in found):
        raise InputError(f"{name}={values!r}: expected a list of strings")
    return found
