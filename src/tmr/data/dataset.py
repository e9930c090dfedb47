"""Motions with their captions, ready for a model."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.utils.data import Dataset

from tmr.data.annotations import (
    Annotation,
    Caption,
    is_test,
    read_annotations,
    read_split,
    within,
)
from tmr.data.caption_pairs import CaptionPairs, sides_of
from tmr.data.feature_files import feature_file, read_features
from tmr.data.feature_store import FeatureStore, open_store
from tmr.data.normalizer import Normalizer
from tmr.errors import InputError
from tmr.motion.skeleton import FPS
from tmr.sequences import Packed, pack
from tmr.text import EmbeddingCache

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sample:
    """One caption and its part of a motion (normalized features, 20 frames a second)."""

    key: str
    caption: str
    motion: Float[Tensor, "time feat"]
    tokens: Float[Tensor, "words dim"]
    sentence: Float[Tensor, " sdim"]


@dataclass(frozen=True, slots=True)
class Batch:
    """What a step of training or encoding takes; ``pairs`` are captions of other motions."""

    keys: tuple[str, ...]
    captions: tuple[str, ...]
    motion: Packed
    text: Packed
    sentences: Float[Tensor, "batch sdim"]
    pairs: CaptionPairs | None = None

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.keys)

    @property
    def sides(self) -> Bool[Tensor, "batch sides"]:
        """``tmr.text.left_right.side_bits`` of each caption, on the device of the batch."""
        return sides_of(self.captions, self.sentences.device)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "Batch":
        """The same batch on ``device``."""
        return replace(
            self,
            motion=self.motion.to(device, non_blocking),
            text=self.text.to(device, non_blocking),
            sentences=self.sentences.to(device, non_blocking=non_blocking),
        )

    def pin_memory(self) -> "Batch":
        """The same batch in page-locked memory, for asynchronous copies to a GPU."""
        return replace(
            self,
            motion=self.motion.pin_memory(),
            text=self.text.pin_memory(),
            sentences=self.sentences.pin_memory(),
        )


def collate(samples: list[Sample]) -> Batch:
    """Samples as one batch."""
    return Batch(
        keys=tuple(s.key for s in samples),
        captions=tuple(s.caption for s in samples),
        motion=pack([s.motion for s in samples]),
        text=pack([s.tokens for s in samples]),
        sentences=torch.stack([s.sentence for s in samples]),
    )


@dataclass(frozen=True, slots=True)
class Item:
    """A motion of a split with the captions that count there and their frames [begin, end)."""

    key: str
    path: str
    captions: tuple[Caption, ...]
    frames: tuple[tuple[int, int], ...]
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class TextMotionData:
    """Where a data set lies: annotations and splits, motion features, their statistics.

    Captions of ``min_seconds`` to ``max_seconds`` are used, except in test splits, where all are.
    """

    name: str
    annotations: str
    motions: str
    stats: str
    min_seconds: float = 2.0
    max_seconds: float = 10.0

    def annotations_of(self, split: str) -> list[Annotation]:
        """Annotations of a split's keys, filtered by length; keys without any are left out."""
        entries = read_annotations(Path(self.annotations))
        keys = read_split(Path(self.annotations), split)
        known = [entries[key] for key in keys if key in entries]
        if not is_test(split):
            known = [within(a, self.min_seconds, self.max_seconds) for a in known]
        found = [a for a in known if a.captions]
        _report(split, len(keys), "no annotation", len(keys) - len(known))
        _report(split, len(keys), "no caption of a usable length", len(known) - len(found))
        return found

    def motion_file(self, path: str) -> Path:
        """Feature file of an annotation's ``path``, by :func:`feature_file`."""
        return feature_file(Path(self.motions), path)

    def normalizer(self) -> Normalizer:
        """Statistics of the training split."""
        remedy = f"make them with `python -m prepare.motion_stats data={self.name}`"
        return Normalizer.load(Path(self.stats), remedy)

    def present(self, split: str, store: FeatureStore | None = None) -> list[Annotation]:
        """Annotations of a split whose motion file exists; InputError when there is none.

        What is in ``store``, which was compared with the files, need not be looked for.
        """
        annotations = self.annotations_of(split)
        if not annotations:
            raise InputError(
                f"split {split!r} of {self.name!r} has no caption to use: expected in "
                f"{self.annotations}/splits/{split}.txt keys of annotations.json, and captions of "
                f"{self.min_seconds:g} to {self.max_seconds:g} s unless it is a test split; see "
                f"`python -m prepare.check data={self.name}`"
            )
        packed = () if store is None else store
        found = [a for a in annotations if a.path in packed or self.motion_file(a.path).is_file()]
        _report(split, len(annotations), "no motion file", len(annotations) - len(found))
        if not found:
            raise InputError(
                f"split {split!r} of {self.name!r} has no motion with a caption: "
                f"{len(annotations)} annotations, 0 feature files under {self.motions}, "
                f"for example {self.motion_file(annotations[0].path)}; "
                "make them with `python -m prepare.compute_guoh3dfeats`"
            )
        return found

    def split(
        self,
        split: str,
        embeddings: EmbeddingCache,
        normalizer: Normalizer,
        store: FeatureStore | None = None,
    ) -> "TextMotionDataset":
        """The motions of a split with captions; features of ``store``, else read into memory."""
        return TextMotionDataset(self, self.present(split, store), embeddings, normalizer, store)

    def store(self) -> FeatureStore | None:
        """The features of all annotated motions in one mapped file beside the annotations.

        It is packed at the first call, and again when feature files have changed. None where it
        cannot be written.
        """
        paths = {entry.path for entry in read_annotations(Path(self.annotations)).values()}
        file = Path(self.annotations) / "packed" / f"{Path(self.motions).name}.safetensors"
        return open_store(file, Path(self.motions), paths)


def _report(split: str, total: int, what: str, count: int) -> None:
    if count:
        log.warning("split %s: %d of %d keys left out: %s", split, count, total, what)


def frames_of(caption: Caption, num_frames: int) -> tuple[int, int]:
    """First frame and end frame of a caption's [start, end) seconds within a motion."""
    # 1e-6: seconds come rounded to milliseconds, and 0.29 * 100 is 28.999... in binary.
    begin, end = (int(seconds * FPS + 1e-6) for seconds in (caption.start, caption.end))
    return min(begin, num_frames), min(end, num_frames)


class TextMotionDataset(Dataset):
    """Samples indexed by (item, caption); an integer index means the first caption."""

    def __init__(
        self,
        data: TextMotionData,
        annotations: list[Annotation],
        embeddings: EmbeddingCache,
        normalizer: Normalizer,
        store: FeatureStore | None = None,
    ) -> None:
        self.items: list[Item] = []
        self.motions: dict[str, Float[Tensor, "time feat"]] = {}  # not normalized
        self.embeddings = embeddings
        self.normalizer = normalizer
        outside = 0
        for annotation in annotations:
            path = annotation.path
            if path not in self.motions:
                self.motions[path] = (
                    store[path]
                    if store is not None and path in store
                    else torch.from_numpy(read_features(data.motion_file(path)))
                )
            num_frames = len(self.motions[path])
            spans = [(c, frames_of(c, num_frames)) for c in annotation.captions]
            kept = [(c, (begin, end)) for c, (begin, end) in spans if begin < end]
            outside += len(spans) - len(kept)
            if kept:
                captions, frames = zip(*kept, strict=True)
                self.items.append(
                    Item(annotation.key, annotation.path, captions, frames, annotation.labels)
                )
        if outside:
            log.warning("%d captions left out: they begin after the end of their motion", outside)
        embeddings.prefetch([c.text for item in self.items for c in item.captions])

    def __len__(self) -> int:
        """Number of motions."""
        return len(self.items)

    def __getitem__(self, index: int | tuple[int, int]) -> Sample:
        """The sample of a motion with one of its captions."""
        motion, caption = index if isinstance(index, tuple) else (index, 0)
        item = self.items[motion]
        begin, end = item.frames[caption]
        text = item.captions[caption].text
        embedding = self.embeddings[text]
        return Sample(
            key=item.key,
            caption=text,
            motion=self.normalizer(self.motions[item.path][begin:end]),
            tokens=torch.from_numpy(np.asarray(embedding.tokens)),
            sentence=torch.from_numpy(np.asarray(embedding.sentence)),
        )

    def lengths(self) -> list[list[int]]:
        """Frames of every caption of every motion."""
        return [[end - begin for begin, end in item.frames] for item in self.items]
