"""A motion library: motions with their captions, searched by sentences, motions, or both.

The latents of a library lie in two galleries in its run folder, one of motions and one of
captions. They are kept in step with the files: what is new or changed is encoded, what is gone is
taken out, and other weights start anew. Beside each lies a ``.state``: while the source says that
it is the same, a gallery is used without a look at its items.
"""

import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol, TypeGuard, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tmr.api import Model
from tmr.data import Caption, TextMotionData, read_annotations, read_split
from tmr.data.annotations import Annotation, is_test, within
from tmr.data.dataset import frames_of, read_features
from tmr.errors import InputError
from tmr.io import write_text
from tmr.motion.features import features_to_joints
from tmr.motion.preprocessing import import_folder
from tmr.motion.read import READERS
from tmr.motion.skeleton import FPS
from tmr.runs.build import data_of
from tmr.search.gallery import Gallery, Hit, Item, Searcher
from tmr.search.query import combine, parse_query
from tmr.text import EmbeddingCache, TextModel, embeddings_folder

log = logging.getLogger(__name__)

ENCODED_AT_ONCE = 256
SAVES = 16  # while a gallery is made: an interruption loses about a sixteenth of the work
Progress = Callable[[int, int], object]  # called with what is done and what there is to do
Encode = Callable[[Sequence[Item]], Tensor]


def _unseen(done: int, total: int) -> None:
    """No progress shown."""


@runtime_checkable
class Source(Protocol):
    """Where the motions of a library lie."""

    @property
    def name(self) -> str:
        """Names the files of the library's galleries."""
        ...

    def state(self) -> str:
        """Stands for all that ``items`` depends on; empty where only ``items`` can tell."""
        ...

    def items(self) -> list[Item]:
        """What there is now: at least one motion."""
        ...

    def motion(self, item: Item) -> np.ndarray:
        """Features (T, 263) or joints (T + 1, 22, 3) of the part that the item stands for."""
        ...

    def embeddings(self, text_model: TextModel) -> EmbeddingCache | None:
        """What the language model has said of the captions, if that is kept."""
        ...


@dataclass(frozen=True)
class DatasetSource:
    """The motions of a data set whose features are there, each with its first usable caption."""

    data: TextMotionData

    @property
    def name(self) -> str:
        """Name of the data set."""
        return self.data.name

    def state(self) -> str:
        """Digest of the settings and of the names, sizes and times of all files; reads none."""
        digest = hashlib.sha256(repr(self.data).encode())
        annotations = Path(self.data.annotations)
        files = [annotations / "annotations.json", *(annotations / "splits").glob("*.txt")]
        for file in sorted(files):
            if file.is_file():
                stat = file.stat()
                digest.update(f"{file.name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
        for path, stamp in sorted(_stamps(Path(self.data.motions))):
            digest.update(f"{path} {stamp}\n".encode())
        return digest.hexdigest()

    def items(self) -> list[Item]:
        """The motions of all splits, sorted by key; InputError when there is none."""
        folder = Path(self.data.annotations)
        annotations = read_annotations(folder)
        splits_of: dict[str, list[str]] = {}
        for name in sorted(path.stem for path in (folder / "splits").glob("*.txt")):
            for key in read_split(folder, name):
                splits_of.setdefault(key, []).append(name)
        found = [
            item
            for key, splits in sorted(splits_of.items())
            if key in annotations and (item := self._item(annotations[key], tuple(splits)))
        ]
        if not found:
            raise InputError(
                f"{self.name!r} has no motion with a caption: {len(splits_of)} keys in "
                f"{folder / 'splits'}, no features of them under {self.data.motions}; "
                "make them with `python -m prepare.compute_guoh3dfeats`"
            )
        if len(found) < len(splits_of):
            log.info(
                "%s: %d of %d motions have features, and a caption of a usable length",
                self.name, len(found), len(splits_of),
            )  # fmt: skip
        return found

    def motion(self, item: Item) -> Float[np.ndarray, "frames 263"]:
        """Features of the part that the item's first caption describes.

        All of them where that begins after the end of the motion, as a few annotations do.
        """
        features = read_features(self.data.motion_file(item.path))
        begin, end = frames_of(Caption("", item.start, item.end), len(features))
        return features[begin:end] if begin < end else features

    def embeddings(self, text_model: TextModel) -> EmbeddingCache:
        """Those that were prepared for training."""
        return EmbeddingCache(embeddings_folder(self.data.annotations, text_model.name), text_model)

    def _item(self, annotation: Annotation, splits: tuple[str, ...]) -> Item | None:
        if not any(is_test(name) for name in splits):
            annotation = within(annotation, self.data.min_seconds, self.data.max_seconds)
        file = self.data.motion_file(annotation.path)
        if not annotation.captions or not file.is_file():
            return None
        first = annotation.captions[0]
        return Item(
            key=annotation.key,
            path=annotation.path,
            captions=tuple(dict.fromkeys(caption.text for caption in annotation.captions)),
            start=first.start,
            end=first.end,
            splits=splits,
            stamp=file.stat().st_mtime_ns,
        )


@dataclass(frozen=True)
class FolderSource:
    """Motion files of a folder, imported to ``joints``; a file's key is its path in the folder."""

    folder: Path
    joints: Path

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.folder.resolve().name

    def state(self) -> str:
        """Empty: the import looks at every file in any case."""
        return ""

    def items(self) -> list[Item]:
        """The files that can be read, imported first where they are new; there are no splits.

        Raises:
            InputError: no such folder, or no file in it that can be read.
        """
        problem = None
        try:
            import_folder(self.folder, self.joints)
        except InputError as error:  # raised after all files that can be read are written
            problem = error
        found = []
        for file in sorted(self.joints.rglob("*.npy")):
            path = file.relative_to(self.joints).with_suffix("").as_posix()
            if not self._is_there(path):
                continue
            frames = np.load(file, mmap_mode="r").shape[0]
            found.append(
                Item(key=path, path=path, end=(frames - 1) / FPS, stamp=file.stat().st_mtime_ns)
            )
        if problem is not None:
            if not found:
                raise problem
            log.warning("%s", problem)
        return found

    def motion(self, item: Item) -> Float[np.ndarray, "frames 22 3"]:
        """The joints of a file."""
        return np.load(self.joints / f"{item.path}.npy")

    def embeddings(self, text_model: TextModel) -> None:
        """None: there are no captions."""

    def _is_there(self, path: str) -> bool:
        names = (f"{path}{form}" for suffix in READERS for form in (suffix, suffix.upper()))
        return any((self.folder / name).is_file() for name in names)


def _stamps(folder: Path) -> Iterator[tuple[str, int]]:
    """Path and time of change of every array below a folder; links are followed, once each."""
    seen = set()
    folders = [str(folder)] if folder.is_dir() else []
    while folders:
        current = folders.pop()
        real = os.path.realpath(current)
        if real in seen:
            continue
        seen.add(real)
        with os.scandir(current) as entries:
            for entry in entries:
                if entry.is_dir():
                    folders.append(entry.path)
                elif entry.name.endswith(".npy"):
                    yield entry.path, entry.stat().st_mtime_ns


class Library:
    """The motions of a source, encoded by a model and ready to be searched.

    ``folder`` keeps the galleries, by default in the run folder; they are read or made at the
    first use, which calls ``progress`` with the numbers of encoded and of all new motions.
    ``splits`` limits to these splits of a data set what is encoded now; what was before can
    still be searched. Search is exact, or by ``index`` where one is set.
    """

    def __init__(
        self,
        model: Model,
        source: Source,
        folder: Path | str | None = None,
        splits: Sequence[str] = (),
        progress: Progress = _unseen,
    ) -> None:
        self.model = model
        self.source = source
        self.folder = Path(folder) if folder else model.run.root / "galleries" / model.ckpt
        self.splits = tuple(splits)
        self.progress = progress
        self.index: Searcher | None = None

    @staticmethod
    def of_data(
        model: Model,
        data: TextMotionData | None = None,
        folder: Path | str | None = None,
        splits: Sequence[str] = (),
        progress: Progress = _unseen,
    ) -> "Library":
        """The library of a data set: by default that which the model was trained on."""
        source = DatasetSource(data or data_of(model.config))
        return Library(model, source, folder, splits, progress)

    @staticmethod
    def of_folder(
        model: Model, folder: Path | str, cache: Path | str, progress: Progress = _unseen
    ) -> "Library":
        """The library of a folder of motion files; ``cache`` keeps joints and galleries."""
        source = FolderSource(Path(folder), Path(cache) / "joints")
        return Library(model, source, cache, (), progress)

    @cached_property
    def gallery(self) -> Gallery:
        """The latents of the motions, in step with their files.

        Raises:
            InputError: no motion in the source, or none of the splits asked for.
        """
        state = self.source.state()  # first: what changes from here on is seen the next time
        saved = self._saved("motions")
        if self._is_in_step(saved, "motions", state):
            held = {*saved.split_names}
            if not self.splits or held & {*self.splits}:
                return saved
        items = self.source.items()
        wanted = [item for item in items if not self.splits or {*self.splits} & {*item.splits}]
        if not wanted:
            found = ", ".join(sorted({name for item in items for name in item.splits}))
            raise InputError(
                f"{self.source.name!r} has no motion of split {', '.join(self.splits)}; "
                f"splits found: {found or 'none'}"
            )
        gallery = self._synchronized("motions", saved, items, wanted, self._encode_motions)
        if len(gallery) == len(items):
            self._mark("motions", gallery, state)
        return gallery

    @cached_property
    def captions(self) -> Gallery:
        """The latents of every different caption of the motions."""
        saved = self._saved("captions")
        if self._is_in_step(saved, "captions", self.gallery.version):
            return saved
        texts = dict.fromkeys(text for item in self.gallery for text in item.captions)
        items = [Item(key=text) for text in texts]
        gallery = self._synchronized("captions", saved, items, items, self._encode_captions)
        self._mark("captions", gallery, self.gallery.version)
        return gallery

    def encode(self, query: str) -> Float[Tensor, " dim"]:
        """The latent of a sentence, or of a query such as ``"walk" + 0.5 "angry" - "turn"``.

        Raises:
            InputError: the query cannot be read (see :func:`tmr.search.query.parse_query`).
        """
        terms = parse_query(query)
        latents = self.model.encode_texts([term.text for term in terms]).cpu()
        return combine(latents, [term.weight for term in terms])

    def search(
        self,
        query: str | np.ndarray | Float[Tensor, " dim"],
        top: int = 10,
        split: str | None = None,
        min_seconds: float | int = 0,
        without: Iterable[str] = (),
    ) -> list[Hit]:
        """The motions nearest to a sentence or query, a motion (array), or a latent; best first.

        ``without`` names keys not to show.

        Raises:
            InputError: a query or motion that cannot be used, or an unknown split.
        """
        where = self.gallery.where(split, min_seconds, without)
        return self.gallery.find(self._latent(query), top, where, self.index)

    def more_like(
        self, key: str, top: int = 10, split: str | None = None, min_seconds: float | int = 0
    ) -> list[Hit]:
        """The motions nearest to one of the library, itself left out."""
        latent = self.gallery.latents[self._row(key)]
        return self.search(latent, top, split, min_seconds, without=[key])

    def describe(
        self, motion: str | np.ndarray | Float[Tensor, " dim"], top: int = 10
    ) -> list[Hit]:
        """The captions nearest to a motion: a key of the library, an array, or a latent."""
        if isinstance(motion, str):
            motion = self.gallery.latents[self._row(motion)]
        return self.captions.find(self._latent(motion), top)

    def item(self, key: str) -> Item:
        """The item of a key; InputError when there is none."""
        return self.gallery[self._row(key)]

    def motion(self, key: str) -> np.ndarray:
        """Features or joints of a motion, as the source has them."""
        return self.source.motion(self.item(key))

    def joints(self, key: str) -> Float[np.ndarray, "frames 22 3"]:
        """Joints of a motion: meters, Y up, 20 frames a second."""
        motion = self.motion(key)
        return motion if motion.ndim == 3 else features_to_joints(motion)

    @property
    def _dim(self) -> int:
        return self.model.network.motion_encoder.get_parameter("tokens").shape[-1]

    def _row(self, key: str) -> int:
        if key not in self.gallery.rows:
            raise InputError(f"no motion {key!r} in the library {self.source.name!r}")
        return self.gallery.rows[key]

    def _latent(self, query: str | np.ndarray | Tensor) -> Float[Tensor, " dim"]:
        if isinstance(query, Tensor):
            return query
        if isinstance(query, np.ndarray):
            return self.model.encode_motions([query])[0].cpu()
        return self.encode(query)

    def _encode_motions(self, items: Sequence[Item]) -> Float[Tensor, "n dim"]:
        return self.model.encode_motions([self.source.motion(item) for item in items])

    def _encode_captions(self, items: Sequence[Item]) -> Float[Tensor, "n dim"]:
        embeddings = self.source.embeddings(self.model.text_model)
        return self.model.encode_texts([item.key for item in items], embeddings=embeddings)

    def _file(self, kind: str, suffix: str = "safetensors") -> Path:
        return self.folder / f"{self.source.name}_{kind}.{suffix}"

    def _saved(self, kind: str) -> Gallery | None:
        return Gallery.load(self._file(kind), self.model.fingerprint)

    def _is_in_step(self, saved: Gallery | None, kind: str, state: str) -> TypeGuard[Gallery]:
        """Whether the saved gallery was made complete from this very state."""
        mark = self._file(kind, "state")
        if saved is None or not state or not mark.is_file():
            return False
        return mark.read_text() == f"{saved.version} {state}"

    def _mark(self, kind: str, gallery: Gallery, state: str) -> None:
        if state and not self._is_in_step(gallery, kind, state):
            write_text(self._file(kind, "state"), f"{gallery.version} {state}")

    def _synchronized(
        self,
        kind: str,
        saved: Gallery | None,
        items: Sequence[Item],
        wanted: Sequence[Item],
        encode: Encode,
    ) -> Gallery:
        """The saved gallery of this kind without what is no longer among ``items``, and with all
        that is ``wanted``."""
        path = self._file(kind)
        gallery = saved or Gallery.of([], torch.empty(0, self._dim), self.model.fingerprint)
        current = {item.key: item for item in items}
        held = {item.key: item for item in gallery}
        stale = [key for key in held if current.get(key) != held[key]]
        if stale:
            gallery = gallery.remove(stale)
            gallery.save(path)
        new = [item for item in wanted if held.get(item.key) != item]
        for part in self._encoded(new, encode):
            gallery = gallery.add(*part)
            gallery.save(path)
        return gallery

    def _encoded(
        self, items: Sequence[Item], encode: Encode
    ) -> Iterator[tuple[list[Item], Float[Tensor, "n dim"]]]:
        """The items with their latents, in as many parts as are to be saved."""
        # Motions of like length together need little padding.
        ordered = sorted(items, key=lambda item: item.seconds)
        finished: list[Item] = []
        latents: list[Tensor] = []
        for start in range(0, len(ordered), ENCODED_AT_ONCE):
            some = ordered[start : start + ENCODED_AT_ONCE]
            latents.append(encode(some).cpu())
            finished += some
            done = start + len(some)
            if len(finished) * SAVES >= len(items) or done == len(items):
                yield finished, torch.cat(latents)
                finished, latents = [], []
            self.progress(done, len(items))
