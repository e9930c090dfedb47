"""Where the motions of a library come from: a folder of motion files, or a data set."""

import builtins
import hashlib
import logging
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from tmr.data import Caption, TextMotionData, feature_files, read_annotations, read_split
from tmr.data.annotations import Annotation, is_test, within
from tmr.data.dataset import frames_of
from tmr.digests import content_digest
from tmr.errors import InputError
from tmr.motion.apart import apart
from tmr.motion.conventions import Overrides
from tmr.motion.folders import find_files
from tmr.motion.overrides_table import TABLE, read_overrides
from tmr.motion.read import READERS, read_file, sources_of
from tmr.motion.skeleton import FPS
from tmr.search.entry import TakeInfo
from tmr.text import EmbeddingCache, TextModel, embeddings_folder

log = logging.getLogger(__name__)

MIRRORED = "M/"  # in front of the paths of mirrored copies

_FROM_FILES = Overrides()

Features = Float[np.ndarray, "_ 263"]


@dataclass(frozen=True, slots=True)
class Listed:
    """A motion that a source has, without its poses.

    ``take`` has no rate and no frames yet, and a ``stamp`` of size, time and options alone.
    ``span`` is the part in seconds that its first caption describes, None for all. ``overrides``
    is what is given about its file.
    """

    take: TakeInfo
    span: tuple[float | int, float | int] | None = None
    overrides: Overrides = _FROM_FILES


@dataclass(frozen=True, slots=True)
class Motion:
    """A motion that was read: unnormalized features at 20 frames a second."""

    take: TakeInfo
    features: Features
    span: tuple[float | int, float | int] | None = None


@runtime_checkable
class Source(Protocol):
    """Where the motions of a library come from."""

    @property
    def name(self) -> str:
        """Names the library."""
        ...

    def describe(self) -> dict[str, Any]:
        """What the source is made from, for the header of the library."""
        ...

    def list(self) -> list[Listed]:
        """The motions that there are now, sorted by key; reads no poses."""
        ...

    def wants(self, take: TakeInfo) -> bool:
        """Whether a motion of the list is to be encoded."""
        ...

    def path(self, take: TakeInfo) -> Path:
        """The file of a take."""
        ...

    def read(self, listed: Listed) -> Motion:
        """A motion with its poses and a full stamp.

        Raises:
            InputError: a file that cannot be used; it is named.
        """
        ...

    def embeddings(self, text_model: TextModel) -> EmbeddingCache | None:
        """The prepared embeddings of the captions, if there are any."""
        ...


@dataclass(frozen=True)
class FolderSource:
    """The motion files below a folder; the key of a take is its path without suffix.

    ``overrides`` is what is given about the files, before what they state; the folder's
    ``overrides.csv`` gives it for single files. ``only`` is the name of the one file in the folder
    that counts.
    """

    folder: Path
    overrides: Overrides = _FROM_FILES
    only: str | None = None

    @staticmethod
    def at(path: Path | str, overrides: Overrides | None = None) -> "FolderSource":
        """The source of a folder, or of one motion file."""
        if not isinstance(path, str | Path):
            raise InputError(f"expected the path of a folder or file, found {path!r}")
        path, given = Path(path), overrides or Overrides()
        if path.is_file():
            return FolderSource(path.parent, given, path.name)
        return FolderSource(path, given)

    @property
    def name(self) -> str:
        """Name of the folder or the file."""
        return self.only or self.folder.resolve().name

    def describe(self) -> dict[str, Any]:
        """The absolute path, the overrides, and the one file that counts."""
        path, overrides = str(self.folder.resolve()), asdict(self.overrides)
        return {"kind": "folder", "path": path, "overrides": overrides, "only": self.only}

    def list(self) -> list[Listed]:
        """The motion files, hidden ones left out, links followed.

        Raises:
            InputError: no such folder, no motion file in it, or an ``overrides.csv`` that cannot
                be used.
        """
        if not self.folder.is_dir():
            raise InputError(f"no folder or file {self.folder}; give motion files")
        paths = self._find()
        if not paths:
            place = self.only or f"below {self.folder}"
            raise InputError(f"no motion file ({', '.join(READERS)}) {place}")
        table = read_overrides(self.folder / TABLE, self.overrides, paths)
        files = [PurePosixPath(path.relative_to(self.folder).as_posix()) for path in paths]
        stems = Counter(file.with_suffix("") for file in files)
        found = [
            self.listed(str(file), stems[file.with_suffix("")] > 1, table.of(file))
            for file in files
        ]
        return sorted(found, key=lambda listed: listed.take.key)

    def _find(self) -> "builtins.list[Path]":
        if self.only is not None:
            return [self.folder / self.only]
        found = find_files(self.folder, READERS)
        for path, reason in found.unusable.items():
            log.warning("%s: skipped, %s", path, reason)
        return found.files

    def overrides_of(self, take: TakeInfo) -> Overrides:
        """What is given about the file of a take."""
        if not (self.folder / TABLE).is_file():
            return self.overrides
        table = read_overrides(self.folder / TABLE, self.overrides, self._find())
        return table.of(PurePosixPath(take.file))

    def listed(
        self, file: str, with_suffix: bool = False, overrides: Overrides | None = None
    ) -> Listed:
        """One file, by its path in the folder or an absolute one.

        Two files whose paths differ in the suffix alone keep it in their keys. A file below ``M``
        is a mirrored copy where the same path without it exists.
        """
        original = file.removeprefix(MIRRORED)
        given = overrides or self.overrides
        take = TakeInfo(
            key=file if with_suffix else str(PurePosixPath(file).with_suffix("")),
            file=file,
            mirrored=original != file and (self.folder / original).is_file(),
            stamp=_quick_stamp(self.folder / file, repr(given)),
        )
        return Listed(take, overrides=given)

    def wants(self, take: TakeInfo) -> bool:
        """Every motion."""
        return True

    def path(self, take: TakeInfo) -> Path:
        """The file of a take."""
        return self.folder / take.file

    def read(self, listed: Listed) -> Motion:
        """The motion of a file: BVH, AMASS, joints or features in .npy.

        Raises:
            InputError: a file that cannot be used.
        """
        path = self.path(listed.take)
        features, fps, frames = apart(read_file, path, listed.overrides)
        stamp = f"{listed.take.stamp}:{_digest(path)}"
        return Motion(replace(listed.take, fps=fps, frames=frames, stamp=stamp), features)

    def embeddings(self, text_model: TextModel) -> EmbeddingCache | None:
        """None: there are no captions."""


@dataclass(frozen=True)
class DataSource:
    """The motions of a data set whose features are there; ``splits`` limits to some.

    A row of a whole take stands for the part that its first usable caption describes.
    """

    data: TextMotionData
    splits: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of the data set."""
        return self.data.name

    def describe(self) -> dict[str, Any]:
        """The name of the data set."""
        return {"kind": "data", "name": self.data.name}

    def list(self) -> list[Listed]:
        """The motions of all splits.

        Raises:
            InputError: none has features and a caption, or none is in ``splits``.
        """
        folder = Path(self.data.annotations)
        annotations = read_annotations(folder)
        splits_of: dict[str, list[str]] = {}
        for name in sorted(path.stem for path in (folder / "splits").glob("*.txt")):
            for key in read_split(folder, name):
                splits_of.setdefault(key, []).append(name)
        found = [
            listed
            for key, splits in sorted(splits_of.items())
            if key in annotations and (listed := self._listed(annotations[key], tuple(splits)))
        ]
        if not found:
            raise InputError(
                f"{self.name!r} has no motion with a caption: {len(splits_of)} keys in "
                f"{folder / 'splits'}, no features of them under {self.data.motions}; "
                "make them with `python -m prepare.compute_guoh3dfeats`"
            )
        if not any(self.wants(listed.take) for listed in found):
            names = sorted({name for listed in found for name in listed.take.splits})
            raise InputError(
                f"{self.name!r} has no motion of split {', '.join(self.splits)}; "
                f"splits found: {', '.join(names)}"
            )
        return found

    def wants(self, take: TakeInfo) -> bool:
        """The motions of the splits."""
        return not self.splits or not {*self.splits}.isdisjoint(take.splits)

    def path(self, take: TakeInfo) -> Path:
        """The features of a take."""
        return self.data.motion_file(take.file)

    def read(self, listed: Listed) -> Motion:
        """The features of a motion.

        Raises:
            InputError: a file that cannot be used.
        """
        path = self.path(listed.take)
        features = feature_files.read_features(path)
        stamp = f"{listed.take.stamp}:{_digest(path)}"
        take = replace(listed.take, fps=float(FPS), frames=len(features), stamp=stamp)
        return Motion(take, features, listed.span)

    def embeddings(self, text_model: TextModel) -> EmbeddingCache:
        """Those that were prepared for training."""
        return EmbeddingCache(embeddings_folder(self.data.annotations, text_model.name), text_model)

    def _listed(self, annotation: Annotation, splits: tuple[str, ...]) -> Listed | None:
        if not any(is_test(name) for name in splits):
            annotation = within(annotation, self.data.min_seconds, self.data.max_seconds)
        path = self.data.motion_file(annotation.path)
        if not annotation.captions or not path.is_file():
            return None
        first = annotation.captions[0]
        take = TakeInfo(
            key=annotation.key,
            file=annotation.path,
            captions=tuple(dict.fromkeys(" ".join(c.text.split()) for c in annotation.captions)),
            splits=splits,
            mirrored=annotation.path.startswith(MIRRORED),
            stamp=_quick_stamp(path, repr((annotation, splits))),
        )
        return Listed(take, (first.start, first.end))


def is_current(source: Source, stamp: str, listed: Listed) -> bool:
    """Whether a motion is the one that ``stamp`` was made of: by size and time, else by content."""
    quick, _, content = stamp.rpartition(":")
    if quick == listed.take.stamp:
        return True
    options = listed.take.stamp.rpartition("-")[2]
    return quick.endswith(f"-{options}") and content == _digest(source.path(listed.take))


def is_unchanged(path: Path, stamp: str) -> bool:
    """Whether the bytes of a file are those that ``stamp`` was made of."""
    quick, _, content = stamp.rpartition(":")
    return quick.startswith(f"{_size_and_time(path)}-") or content == _digest(path)


def part_of(features: Features, span: tuple[float | int, float | int] | None) -> Features:
    """The features of a part in seconds; all where it begins after the end of the motion."""
    if span is None:
        return features
    begin, end = frames_of(Caption("", *span), len(features))
    return features[begin:end] if begin < end else features


def _quick_stamp(path: Path, options: str) -> str:
    """Size, time and options: a file of which all are the same is not read again."""
    return f"{_size_and_time(path)}-{hashlib.sha256(options.encode()).hexdigest()[:8]}"


def _size_and_time(path: Path) -> str:
    found = [some.stat() for some in sources_of(path)]
    return f"{sum(f.st_size for f in found)}-{max(f.st_mtime_ns for f in found)}"


def _digest(path: Path) -> str:
    """Stands for the bytes of a file, and of those that it needs."""
    return content_digest(*sources_of(path))[:16]
