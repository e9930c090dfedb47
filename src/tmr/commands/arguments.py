"""What people type, in Hydra's grammar: literal texts and paths, the original's names."""

import json
import re
from collections.abc import Collection, Iterable, Sequence

from tmr.commands.options import File, Kind, Text, Word, kind_of
from tmr.errors import InputError

# Hydra's flags; those of the second line take a value of their own.
FLAGS = {"--hydra-help", "--resolve", "--run", "-r", "--multirun", "-m"}
FLAGS_WITH_VALUE = {
    "--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn",
    "--config-dir", "-cd", "--info", "-i", "--shell-completion", "-sc", "--experimental-rerun",
}  # fmt: skip
MULTIRUN = {"--multirun", "-m"}

# Options of the original release by name: ours, which a command must have for it to be meant.
ALIASES = {
    "text": "language_model",
    "protocol": "protocols",
    "ckpt_name": "ckpt",
    "force_redo": "overwrite",
    "dataloader.batch_size": "batch_size",
    "model.lr": "lr",
    "model.lmd.recons": "model.loss_weights.recons",
    "model.lmd.latent": "model.loss_weights.latent",
    "model.lmd.kl": "model.loss_weights.kl",
    "model.lmd.contrastive": "model.loss_weights.contrastive",
}
# Values of theirs that are written otherwise, by our name.
VALUES = {("protocols", "all"): "null", ("debug", "train"): "true"}
# Options of theirs that nothing depends on here.
NEEDLESS = {
    "dataloader.num_workers": "batches are made in memory, without workers",
    "dataloader.pin_memory": "batches are made in memory, without workers",
}


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
    if name in groups:
        return f"{name}={value}"  # `+experiment=...` too: the defaults list has every group
    if name.startswith("trainer.") and "trainer" in groups:
        return f"++{name}={value}"  # any option of Lightning's Trainer, in the config or not
    if sweep:
        return argument
    return f"{prefix}{name}={_literal(kind_of(command, name), value)}"


def _literal(kind: Kind | None, value: str) -> str:
    """A value in Hydra's grammar: quoted where it is a text, a path or a name."""
    if not isinstance(kind, Text | File | Word) or (value == "null" and not isinstance(kind, Text)):
        return value
    if isinstance(kind, Text | File) and kind.several and (texts := _texts(value)) is not None:
        return f"[{','.join(quoted(text) for text in texts)}]"
    return quoted(value, interpolate=isinstance(kind, File))


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
        if name in NEEDLESS:
            notes.append(f"{name} is not needed: {NEEDLESS[name]}")
            continue
        renamed = _renamed(name, options)
        meant = VALUES.get((renamed, value), value)
        if name is None or (renamed, meant) == (name, value):
            ours.append(argument)
            continue
        notes.append(f"{name}={value} is {renamed}={meant} here")
        ours.append(f"{'' if renamed in options else prefix}{renamed}={meant}")
    return ours, notes


def _renamed(name: str | None, options: Collection[str]) -> str:
    ours = ALIASES.get(name or "", "")
    known = ours.partition(".")[0] in options and name not in options
    return ours if known else name or ""
