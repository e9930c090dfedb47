"""Texts as programs pass them: lists, arrays, generators of strings."""

from collections.abc import Iterable

from tmr.errors import InputError


def as_texts(texts: object) -> list[str]:
    """The strings of an iterable, those of NumPy among them, as strings of Python.

    Raises:
        InputError: one string in place of a list, no texts, an empty one, or one
            that is no string or no valid Unicode; its place is named.
    """
    if isinstance(texts, str | bytes) or not isinstance(texts, Iterable):
        raise InputError(f"expected a list of at least one text, found {texts!r}")
    listed = list(texts)
    if not listed:
        raise InputError("expected a list of at least one text, found none")
    for place, text in enumerate(listed, 1):
        if not isinstance(text, str):
            raise InputError(
                f"text {place} of {len(listed)} is a {type(text).__name__}, expected a string"
            )
        if not text.strip():
            raise InputError(f"text {place} of {len(listed)} is empty")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InputError(f"text {place} of {len(listed)} holds half a character") from None
    return [str(text) for text in listed]
