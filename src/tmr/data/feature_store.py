"""All motion features of a data set in one memory-mapped file.

Opening tens of thousands of small files takes minutes on a cold disk; mapping one takes nothing,
and processes of one machine share its pages. The file is in safetensors format: ``features`` has
the frames of all motions, one motion behind the other, and the metadata say which are whose.
"""

import hashlib
import logging
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import orjson
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from torch import Tensor

from tmr.data.feature_files import read_features
from tmr.errors import InputError
from tmr.io import atomic_path
from tmr.motion.features import NUM_FEATURES

log = logging.getLogger(__name__)


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

    A changed, new or removed feature file shows in the sizes and times of the files. Motions
    without a file, or with a damaged one, are not in the store. None when it cannot be written,
    with a warning: a read-only or full disk.
    """
    present = {path: motions / f"{path}.npy" for path in sorted(paths)}
    fingerprint = _fingerprint(present)
    if (store := _map(file, fingerprint)) is not None:
        return store
    log.info("packing the features of up to %d motions into %s", len(present), file)
    try:
        _write(file, present, fingerprint)
    except OSError as error:
        log.warning("cannot pack features into %s: %s; reading single files", file, error)
        return None
    return _map(file, fingerprint)


def _fingerprint(files: dict[str, Path]) -> str:
    digest = hashlib.sha256()
    for path, file in files.items():
        try:
            status = file.stat()
        except FileNotFoundError:
            continue
        digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _map(file: Path, fingerprint: str) -> FeatureStore | None:
    """The store in ``file``; None when there is none, or one of other feature files."""
    try:
        with safe_open(file, framework="pt") as stored:
            record = orjson.loads(stored.metadata()["tmr"])
            if record["fingerprint"] != fingerprint:
                return None
            ends = np.cumsum([0, *record["lengths"]]).tolist()
            spans = pairwise(ends)
            features = stored.get_tensor("features")
    except (OSError, SafetensorError, LookupError, TypeError, ValueError):
        return None
    return FeatureStore(features, dict(zip(record["paths"], spans, strict=True)))


def _write(file: Path, files: dict[str, Path], fingerprint: str) -> None:
    lengths = {path: length for path, length in _lengths(files) if length}
    size = 4 * NUM_FEATURES * sum(lengths.values())
    record = {
        "fingerprint": fingerprint,
        "paths": list(lengths),
        "lengths": list(lengths.values()),
    }
    entry = {"dtype": "F32", "shape": [sum(lengths.values()), NUM_FEATURES]}
    header = orjson.dumps(
        {
            "__metadata__": {"tmr": orjson.dumps(record).decode()},
            "features": {**entry, "data_offsets": [0, size]},
        }
    )
    header += b" " * (-(8 + len(header)) % 64)  # the first row starts a cache line
    with atomic_path(file) as temporary, temporary.open("wb") as packed:
        packed.write(len(header).to_bytes(8, "little") + header)
        for path in lengths:
            packed.write(np.ascontiguousarray(read_features(files[path])).data)
        packed.flush()
        os.fsync(packed.fileno())


def _lengths(files: dict[str, Path]) -> Iterator[tuple[str, int]]:
    """Frames of each motion that can be read."""
    for path, file in files.items():
        if file.is_file():
            try:
                yield path, len(read_features(file))
            except InputError as error:
                log.warning("left out of the packed features: %s", error)
