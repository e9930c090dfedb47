"""What each option of a command may be: one table for all, because one word means one thing.

`text="a man walks, then sits"` is two values in Hydra's grammar, and a folder `takes (1)` none.
The table names the options that hold texts, files and names, which are taken literally, and the
types and bounds of the others, which are checked before a command starts.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tmr.errors import InputError


@dataclass(frozen=True)
class Kind:
    """A kind of option."""

    expected: str = ""

    def accepts(self, value: Any) -> bool:
        """Whether a command can use ``value``; None stands for an option that was left out."""
        return True


@dataclass(frozen=True)
class Text(Kind):
    """A text that a person types; ``several`` also takes a list, `text='["one", "two"]'`.

    The words null and true are texts as any other.
    """

    several: bool = False


@dataclass(frozen=True)
class File(Kind):
    """A file, folder or address; ``null`` leaves it out, and `${...}` is Hydra's, as in sweeps."""

    several: bool = False


@dataclass(frozen=True)
class Word(Kind):
    """The name of something: a split, a checkpoint, a motion's key; ``null`` leaves it out."""

    among: tuple[str, ...] = ()

    def accepts(self, value: Any) -> bool:
        """One of the words, where they are known."""
        return value is None or not self.among or value in self.among


@dataclass(frozen=True)
class Name(Word):
    """The name of a data set or a file below a folder of the project, which it must not leave."""

    expected: str = "a name below the folder of such files, without .. and not absolute"

    def accepts(self, value: Any) -> bool:
        """No way out of the folder, on any system."""
        first, *rest = str(value).replace("\\", "/").split("/")
        return value is None or bool(first and ":" not in first and ".." not in (first, *rest))


def choice(*among: str) -> Word:
    """One of a few words."""
    return Word(expected=f"one of {', '.join(among)}", among=among)


@dataclass(frozen=True)
class Number(Kind):
    """A finite number from ``low`` to ``high``; ``above`` shuts ``low`` itself out."""

    low: float | int = -math.inf
    high: float | int = math.inf
    above: bool = False
    whole: bool = False

    def accepts(self, value: Any) -> bool:
        """A number within the bounds, or None."""
        if value is None:
            return True
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if not math.isfinite(value) or (self.whole and value != int(value)):
            return False
        return self.low <= value <= self.high and not (self.above and value == self.low)


def number(
    low: float | int = -math.inf,
    high: float | int = math.inf,
    above: bool = False,
    whole: bool = False,
) -> Number:
    """A number, with the words that say which."""
    words = "a whole number" if whole else "a number"
    if math.isfinite(high):
        words += f" from {low:g} to {high:g}"
    elif math.isfinite(low):
        words += f" above {low:g}" if above else f", at least {low:g}"
    return Number(expected=words, low=low, high=high, above=above, whole=whole)


def whole(low: int = 0, high: float | int = math.inf) -> Number:
    """A whole number, with the words that say which."""
    return number(low, high, whole=True)


@dataclass(frozen=True)
class Switch(Kind):
    """true or false; ``auto`` too where it is."""

    expected: str = "true or false"
    auto: bool = False

    def accepts(self, value: Any) -> bool:
        """A truth value."""
        return value is None or isinstance(value, bool) or (self.auto and value == "auto")


@dataclass(frozen=True)
class Words(Kind):
    """A list of names, `[one,two]`; a single one needs no brackets."""

    expected: str = "a list of names, for example [one,two]"

    def accepts(self, value: Any) -> bool:
        """A word or a list of words."""
        values = value if isinstance(value, list) else [value]
        return value is None or all(isinstance(v, str | int | float) for v in values)


@dataclass(frozen=True)
class Numbers(Kind):
    """A list of numbers, `[1.0,2.0]`, each at least ``low``; a single one needs no brackets."""

    expected: str = "a list of numbers, for example [1.0,2.0]"
    low: float | int = -math.inf

    def accepts(self, value: Any) -> bool:
        """A number or a list of numbers."""
        one = number(self.low)
        values = value if isinstance(value, list) else [value]
        return all(v is not None and one.accepts(v) for v in values)


# By name; COMMAND:NAME where a command's option of that name is of another kind.
OPTIONS: Mapping[str, Kind] = {
    "text": Text(several=True),
    "to": Text(),
    "search:text": Text(),
    "auth": Text(),
    "localize:text": Text(),
    "where": Text(),
    # Files and folders.
    **dict.fromkeys(
        (
            "base_folder", "body_models", "evaluator", "folder", "gallery", "library",
            "options.index", "output", "output_folder", "profile", "release", "resume_dir", "root",
            "run_dir", "sheet", "source", "text_pairs", "texts", "url", "data.annotations",
            "data.motions", "data.stats",
        ),
        File(),
    ),
    "npy": File(several=True),
    # Names.
    **dict.fromkeys(
        ("address", "host", "key", "md5", "share"), Word()
    ),
    **dict.fromkeys(("ckpt", "name", "split", "data.name"), Name()),
    "what": choice("pretrain_models", "annotations", "stats"),
    "format": choice("humanml3d", "kitml", "babel", "table"),
    "up": choice("x", "y", "z", "-x", "-y", "-z"),
    "handedness": choice("right", "left"),
    "engine": choice("processes", "ray"),
    "precision": choice("auto", "fp32", "bf16"),
    "device": Word(),
    "unit": Kind(),  # a name or a number
    **dict.fromkeys(("names", "protocols", "sets"), Words()),
    # Numbers.
    **dict.fromkeys(
        (
            "batch_size", "clips", "examples", "pairs", "pool", "processes", "samples",
            "sequences", "size.motions", "top", "workers", "clusters", "trainer.max_epochs",
        ),
        whole(1),
    ),
    "steps": whole(2),
    "port": whole(0, 65535),
    **dict.fromkeys(("keep_every", "seed", "size.test", "size.val"), whole(0)),
    "nsim_split:size": whole(1),
    **dict.fromkeys(("start", "end"), number()),
    **dict.fromkeys(
        ("allowed", "checkpoint_minutes", "duplicate_meters", "fact", "min_seconds"), number(0)
    ),
    **dict.fromkeys(("search:windows", "motion_to_motion:windows"), number(0.5)),
    "encode_library:windows": Numbers(
        expected="lengths of at least 0.5 seconds, for example [1.0,2.0]", low=0.5
    ),
    "gpus_per_worker": number(0),
    **dict.fromkeys(("size.min_seconds", "size.max_seconds"), number(0, above=True)),
    **dict.fromkeys(
        ("fps", "lr", "temperature", "seconds"), number(0, above=True)
    ),
    **dict.fromkeys(
        (
            "alike_above", "decay", "duplicates_above", "ema", "suspect_margin", "threshold",
            "unlike_below",
        ),
        number(0, 1),
    ),
    "data.min_seconds": number(0),
    "data.max_seconds": number(0, above=True),
    # Switches.
    **dict.fromkeys(
        (
            "compile", "debug", "flat", "gif", "options.extra", "options.mirror",
            "options.notebook_trim", "overwrite", "mirrored", "picture", "pictures",
            "progress", "x_negated",
        ),
        Switch(),
    ),
    "data_on_device": Switch(expected="true, false or auto", auto=True),
}  # fmt: skip


def kind_of(command: str, name: str) -> Kind | None:
    """What the option ``name`` of a command may be; None where Hydra reads it and no one checks."""
    return OPTIONS.get(f"{command}:{name}", OPTIONS.get(name))


def check(command: str, config: Mapping[str, Any]) -> None:
    """Refuse a config with an option of a wrong type or out of bounds.

    Raises:
        InputError: an option that its kind does not accept.
    """
    for name, value in _leaves(config):
        kind = kind_of(command, name)
        if kind is not None and not kind.accepts(value):
            raise InputError(f"{name}={value}: expected {kind.expected}")


def _leaves(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
