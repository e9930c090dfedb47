"""Captions of motions and the splits they belong to, as they lie on disk."""

import gzip
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path

import orjson

from tmr.errors import InputError
from tmr.spreadsheet import decode

MAX_UNPACKED = 1 << 29  # bytes of an annotations.json.gz; the largest published has 40 MB


@dataclass(frozen=True, slots=True)
class Caption:
    """What a person wrote of the seconds [start, end) of a motion.

    ``categories`` are the action categories that BABEL files it under.
    """

    text: str
    start: float
    end: float
    categories: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Length of the described part."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Annotation:
    """One annotated motion: ``path`` is relative to the feature folder and has no extension.

    ``segments`` are texts of parts of the motion, where a data set keeps them beside its captions.
    ``labels`` are values by name, where an entry has fields of text beside its path: Bandai-Namco's
    content and style, say.
    """

    key: str
    path: str
    duration: float
    captions: tuple[Caption, ...]
    segments: tuple[Caption, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()


def read_annotations(folder: Path) -> dict[str, Annotation]:
    """Every annotation of a data set, by key, from ``annotations.json`` or its ``.gz``.

    Raises:
        InputError: no such file, not JSON, or an entry that lacks a field; the entry is named.
    """
    path = folder / "annotations.json"
    packed = folder / "annotations.json.gz"
    if not path.is_file():
        if not packed.is_file():
            raise InputError(f"no annotations at {path}; {_source_of_annotations(folder)}")
        path = packed
    status = path.stat()
    return dict(_read(path, status.st_ino, status.st_size, status.st_mtime_ns))


def _source_of_annotations(folder: Path) -> str:
    """How the annotations of a data set are had: those of two are published, one is made here."""
    if folder.name in ("humanml3d", "kitml"):
        return "fetch them, with splits and statistics: `bash prepare/download_annotations.sh`"
    if folder.name == "synthetic":
        return "make them and the motions: `python -m prepare.synthesize`"
    return (
        "put the data set's annotations.json and splits/ there (datasets/README.md says how), or "
        "run `python -m prepare.synthesize` and use data=synthetic"
    )


# A training asks for its splits and for all motions: at HumanML3D's size, a second each time.
@lru_cache(maxsize=1)
def _read(path: Path, *version: int) -> dict[str, Annotation]:
    content = path.read_bytes()
    if path.suffix == ".gz":
        try:
            with gzip.open(path) as file:
                content = file.read(MAX_UNPACKED + 1)
        except (EOFError, OSError, zlib.error) as error:
            raise InputError(
                f"{path} is not a whole gzip archive ({error}); get it again"
            ) from None
        if len(content) > MAX_UNPACKED:
            raise InputError(f"{path} unpacks to more than {MAX_UNPACKED >> 20} MB: no annotations")
    try:
        entries = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise InputError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(entries, dict):
        raise InputError(f"{path} holds a {type(entries).__name__}; expected {{key: annotation}}")
    return {key: _parse(key, entry, path) for key, entry in entries.items()}


def _parse(key: str, entry: object, source: Path) -> Annotation:
    if not isinstance(entry, Mapping):
        raise InputError(f"{source}, key {key!r}: expected an object with path and annotations")
    return Annotation(
        key=key,
        path=checked_path(_field(entry, "path", str, key, source), f"{source}, key {key!r}"),
        duration=_seconds(entry, "duration", key, source),
        captions=_captions(entry, "annotations", key, source),
        segments=_captions(entry, "segments", key, source) if "segments" in entry else (),
        labels=tuple(
            (name, value)
            for name, value in sorted(entry.items())
            if name != "path" and isinstance(value, str)
        ),
    )


def _captions(entry: Mapping, name: str, key: str, source: Path) -> tuple[Caption, ...]:
    captions = _field(entry, name, list, key, source)
    if not all(isinstance(caption, Mapping) for caption in captions):
        raise InputError(f"{source}, key {key!r}: every annotation must be an object with text")
    return tuple(
        Caption(
            text=_field(caption, "text", str, key, source),
            start=_seconds(caption, "start", key, source),
            end=_seconds(caption, "end", key, source),
            categories=tuple(_field(caption, "act_cat", list, key, source))
            if "act_cat" in caption
            else (),
        )
        for caption in captions
    )


def checked_path(path: str, place: str) -> str:
    """The path of a motion, which must stay below the folder of the motions.

    Raises:
        InputError: an absolute path, one with ``..``, or one that is none; ``place`` is named.
    """
    first, *rest = path.replace("\\", "/").split("/")
    if not first or ":" in first or ".." in (first, *rest) or "\0" in path or len(path) > 1000:
        raise InputError(
            f"{place}: expected the path of a motion below the folder of the motions, found "
            f"{path[:100]!r}"
        )
    return path


def _seconds(entry: Mapping, name: str, key: str, source: Path) -> float:
    value = _field(entry, name, (int, float), key, source)
    if isinstance(value, bool) or not math.isfinite(value):
        raise InputError(f"{source}, key {key!r}: expected seconds as {name}, found {value}")
    return float(value)


def _field(entry: Mapping, name: str, kind: type | tuple[type, ...], key: str, source: Path):
    if name not in entry:
        near = get_close_matches(name, entry.keys(), n=1, cutoff=0.5)
        hint = f"; did you mean {name!r} where it says {near[0]!r}?" if near else ""
        raise InputError(
            f"{source}, key {key!r}: no field {name!r}, found {sorted(entry.keys())[:20]}{hint}"
        )
    if not isinstance(entry[name], kind):
        raise InputError(
            f"{source}, key {key!r}: field {name!r} has the wrong type: {entry[name]!r:.100}"
        )
    return entry[name]


def read_split(folder: Path, split: str) -> list[str]:
    """Keys of a split, in the order of its file, one a line.

    Raises:
        InputError: no such split; those that exist are named.
    """
    path = folder / "splits" / f"{split}.txt"
    if not path.is_file():
        found = sorted(p.stem for p in path.parent.glob("*.txt"))
        raise InputError(f"no split {split!r} at {path}; splits found: {found or 'none'}")
    return decode(path.read_bytes(), str(path)).split()


def has_split(folder: Path, split: str) -> bool:
    """Whether the data set has this split."""
    return (folder / "splits" / f"{split}.txt").is_file()


def is_test(split: str) -> bool:
    """Whether captions of every length count in this split (``test``, ``nsim_test``)."""
    return split == "test" or split.endswith("_test")


def within(annotation: Annotation, shortest: float, longest: float) -> Annotation:
    """The annotation with only those captions that describe ``shortest`` to ``longest`` seconds."""
    captions = tuple(c for c in annotation.captions if shortest <= c.seconds <= longest)
    return replace(annotation, captions=captions)
