"""All motion features of a data set in one memory-mapped file.

Opening tens of thousands of small files takes minutes on a cold disk; mapping one takes nothing,
and processes of one machine share its pages. The file is a cache (`tmr.cache`): ``features`` has
the frames of all motions, concatenated, and the record says which are whose.
"""

import logging
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tmr import cache
from tmr.data.feature_files import feature_file, read_features
from tmr.errors import InputError
from tmr.motion.features import NUM_FEATURES

log = logging.getLogger(__name__)

VERSION = 1


@dataclass(frozen=True, slots=True)
class FeatureStore:
    """Features of motions by path, as views of the mapped file: float32, not normalized."""

    features: Float[Tensor, "frames feat"]
    spans: dict[str, tuple[int, int]]

    def __contains__(self, path: object) -> bool:
        """Whether the motion is in the store."""
        return path in self.spans

    def __getitem__(self, path: str) -> Float[Tensor, "time feat"]:
        """The motion's features."""
        begin, end = self.spans[path]
        return self.features[begin:end]


def open_store(file: Path, motions: Path, paths: Collection[str]) -> FeatureStore | None:
    """The store of the motions ``paths`` under ``motions``, made anew where files have changed.

    Motions without a file, or with a damaged one, are not in the store. None when it cannot be
    written, with a warning: a read-only or full disk.
    """
    files = {path: feature_file(motions, path) for path in sorted(paths)}
    digests = cache.content_digests(files, file.with_name(f"digests-{file.name}"))
    made_from = cache.fingerprint("features", VERSION, motions=digests)
    held = cache.read(file, made_from)
    if held is None:
        log.info("packing the features of up to %d motions into %s", len(digests), file)
        if not _write(file, {path: files[path] for path in digests}, made_from):
            log.warning("reading the features from single files")
            return None
        held = cache.read(file, made_from)
    if held is None:
        return None
    spans = pairwise(np.cumsum([0, *held.record["lengths"]]).tolist())
    return FeatureStore(
        held.tensors["features"], dict(zip(held.record["paths"], spans, strict=True))
    )


def _write(file: Path, files: Mapping[str, Path], made_from: str) -> bool:
    lengths: dict[str, int] = {}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # All features may be more than the memory holds.
        with tempfile.TemporaryFile(dir=file.parent) as scratch:
            for path, source in files.items():
                try:
                    features = read_features(source)
                except InputError as error:
                    log.warning("left out of the packed features: %s", error)
                    continue
                if len(features):
                    scratch.write(np.ascontiguousarray(features).data)
                    lengths[path] = len(features)
            scratch.flush()
            shape = (sum(lengths.values()), NUM_FEATURES)
            frames = (
                np.memmap(scratch, np.float32, mode="c", shape=shape)
                if lengths
                else np.empty(shape, np.float32)
            )
            record = {"paths": list(lengths), "lengths": list(lengths.values())}
            return cache.write(file, {"features": torch.from_numpy(frames)}, record, made_from)
    except OSError as error:
        log.warning("cannot pack features into %s: %s", file, error)
        return False
