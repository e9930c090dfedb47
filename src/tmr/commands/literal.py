"""Sentences and paths on the command line, as they are typed."""

import functools
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

# Options whose value is a sentence or a path.
LITERAL = ("text", "texts", "to", "npy", "output", "run_dir", "evaluator")


def as_typed(main: Callable[..., Any]) -> Callable[..., Any]:
    """``main`` for which commas, quotes and brackets in sentences and paths mean themselves.

    Hydra's grammar gives them a meaning: ``text="a man walks, then sits"`` would be two values.
    Goes outside ``@hydra.main``.
    """

    @functools.wraps(main)
    def command(*args: Any) -> Any:
        sys.argv[1:] = quoted(sys.argv[1:])
        return main(*args)

    return command


def quoted(arguments: Sequence[str]) -> list[str]:
    """The arguments, with the values of sentences and paths quoted for Hydra.

    Left alone are values that are quoted already, lists (``[...]``), ``null``, and the sweeps of
    ``--multirun``.
    """
    if not {"-m", "--multirun"}.isdisjoint(arguments):
        return list(arguments)
    return [_quoted(argument) for argument in arguments]


def _quoted(argument: str) -> str:
    name, equals, value = argument.partition("=")
    speaks_hydra = value == "null" or value[:1] + value[-1:] in ("[]", "''", '""')
    if name not in LITERAL or not equals or speaks_hydra:
        return argument
    # Backslashes count double before ${ for OmegaConf, and before a quote or the end for Hydra.
    value = re.sub(r"(\\*)\$\{", r"\1\1\\${", value)
    value = re.sub(r"(\\*)'", r"\1\1\\'", value)
    value = re.sub(r"(\\+)\Z", r"\1\1", value)
    return f"{name}='{value}'"
