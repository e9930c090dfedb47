"""What people type, in Hydra's grammar: literal texts and paths, the original's names."""

import json
import re
from collections.abc import Collection, Iterable, Sequence

from tmr.commands.options import File, Text, Word, kind_of
from tmr.errors import InputError

# Hydra's flags; those of the second line take a value of their own.
FLAGS = {"--hydra-help", "--resolve", "--run", "-r", "--multirun", "-m"}
FLAGS_WITH_VALUE = {
    "--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn",
    "--config-dir", "-cd", "--info", "-i", "--shell-completion", "-sc", "--experimental-rerun",
}  # fmt: skip
MULTIRUN = {"--multirun", "-m"}

# Option names of the original release, and ours.
ALIASES = {"text": "language_model"}


def to_hydra(command: str, arguments: Sequence[str], groups: Collection[str]) -> list[str]:
    """The arguments of a command for Hydra, whose grammar gives commas and brackets a meaning.

    ``groups`` are the command's config groups. Texts, paths and names are quoted, so that every
    sign in them means itself; in a sweep (``-m``) a comma separates runs, and all is Hydra's.

    Raises:
        InputError: ``--name value``, which is written name=value here.
    """
    sweep = not MULTIRUN.isdisjoint(arguments)
    read, flag_value = [], False
    for place, argument in enumerate(arguments):
        if flag_value or argument in FLAGS or argument in FLAGS_WITH_VALUE:
            flag_value = not flag_value and argument in FLAGS_WITH_VALUE
            read.append(argument)
        elif argument.startswith("-"):
            if argument.partition("=")[0] not in FLAGS_WITH_VALUE:
                raise InputError(_as_option(argument, arguments[place + 1 :]))
            read.append(argument)
        else:
            read.append(_option(command, argument, groups, sweep))
    return read


def _as_option(argument: str, following: Sequence[str]) -> str:
    name, equals, value = argument.lstrip("-").partition("=")
    if not equals:
        bare = following and "=" not in following[0] and not following[0].startswith("-")
        value = following[0] if bare else "VALUE"
    return f"cannot read {argument!r}: options are written name=value, here {name}={value}"


def _option(command: str, argument: str, groups: Collection[str], sweep: bool) -> str:
    prefix, name, value = _parts(argument)
    if name is None:
        return argument
    kind = kind_of(command, name)
    if name in groups:
        return f"{name}={value}"  # `+experiment=...` too: the defaults list has every group
    if sweep or not isinstance(kind, Text | File | Word):
        return argument
    if not isinstance(kind, Text) and value == "null":
        return argument
    if isinstance(kind, Text | File) and kind.several and (texts := _texts(value)) is not None:
        return f"{prefix}{name}=[{','.join(quoted(text) for text in texts)}]"
    return f"{prefix}{name}={quoted(value, interpolate=isinstance(kind, File))}"


def _parts(argument: str) -> tuple[str, str | None, str]:
    """The ``+`` or ``++`` before an option, its name, its value; no name in what is no option."""
    found = re.fullmatch(r"(\+{0,2})([\w./@-]+)=(.*)", argument, re.DOTALL)
    return (found[1], found[2], found[3]) if found else ("", None, "")


def _texts(value: str) -> list[str] | None:
    """The texts of a list of quoted texts; None for a single text, with brackets or without."""
    try:
        found = json.loads(value)
    except ValueError:
        return None
    is_list = isinstance(found, list) and found and all(isinstance(text, str) for text in found)
    return found if is_list else None


def quoted(value: str, interpolate: bool = False) -> str:
    """A value in quotes that Hydra and OmegaConf read back as it is; ``${`` is kept for Hydra with
    ``interpolate``."""
    # Backslashes count double before ${ for OmegaConf, and before a quote or the end for Hydra.
    if not interpolate:
        value = re.sub(r"(\\*)\$\{", r"\1\1\\${", value)
    value = re.sub(r"(\\*)'", r"\1\1\\'", value)
    value = re.sub(r"(\\+)\Z", r"\1\1", value)
    return f"'{value}'"


def translated(arguments: Iterable[str], options: Collection[str]) -> tuple[list[str], list[str]]:
    """The arguments under our names, and a line for each that another name was used for.

    ``options`` are the command's own options and groups: what is one of them is never renamed.
    """
    ours, notes = [], []
    for argument in arguments:
        prefix, name, value = _parts(argument)
        alias = ALIASES.get(name or "")
        if name is not None and name not in options and alias in options:
            notes.append(f"{name}={value} is {alias}={value} here")
            ours.append(f"{prefix}{alias}={value}")
        else:
            ours.append(argument)
    return ours, notes
