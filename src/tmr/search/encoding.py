"""Encode a large source into a Lance library with many workers, on one machine or on several.

The work is a stateless map over files. A worker reads a batch of files, encodes it and writes Lance
fragments, which nobody sees; the parent commits the fragments of finished batches together. So
every file is in the library exactly once, whatever is killed: a batch of a killed worker is done
again, a killed parent resumes from what the library holds. Of what two parents wrote, the last
one that ends drops the copies.
"""

import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch

from tmr.errors import InputError
from tmr.motion.file_jobs import SKIPPED, write_skipped
from tmr.search.encoder import Encoder
from tmr.search.library import Progress, changes, header_of, library_at, unseen
from tmr.search.reading import Skipped, attempt
from tmr.search.rows import encode_motions
from tmr.search.sources import Listed, Motion, Source
from tmr.search.stores import Header
from tmr.search.stores.factory import is_remote
from tmr.search.stores.lance import LanceStore, write_rows

log = logging.getLogger(__name__)

FILES_PER_BATCH = 64
COMMIT_SECONDS = 10.0  # between two commits: a killed parent loses as much

# Pickled to the workers and compared by value there, so that each loads its model once: an
# instance of a frozen dataclass.
MakeEncoder = Callable[[], Encoder]


@dataclass(frozen=True)
class Batch:
    """Files for one worker at a time."""

    source: Source
    listed: tuple[Listed, ...]
    make_encoder: MakeEncoder
    header: Header
    uri: str


@dataclass(frozen=True)
class Written:
    """What became of a batch: fragments to be committed, and files that cannot be used."""

    fragments: list[Any] = field(default_factory=list)
    takes: int = 0
    rows: int = 0
    skipped: Skipped = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What became of a source."""

    encoded: int
    rows: int
    held: int
    skipped: Skipped
    seconds: float


@runtime_checkable
class Engine(Protocol):
    """What runs batches: processes of this machine, or Ray."""

    def run(self, batches: Iterable[Batch]) -> Iterator[Written]:
        """What became of each batch, in any order; those of killed workers are done again."""
        ...


def encode_library(
    source: Source,
    make_encoder: MakeEncoder,
    path: Path | str,
    engine: Engine,
    *,
    windows: Sequence[float | int] = (),
    share: tuple[int, int] = (0, 1),
    progress: Progress = unseen,
) -> Outcome:
    """Bring the Lance library at ``path`` up to date with a source; one that is there is resumed.

    ``share`` (i, n) limits to the i-th of n parts of the files, by a hash of their keys, for n
    processes that work on one library side by side; the last one that ends should be followed by
    a call without, which indexes. Files that cannot be used are listed in ``skipped.csv`` in the
    library, or for object storage in the working directory.

    Raises:
        InputError: a library of another model or source at ``path``, or nothing to encode.
    """
    start = time.perf_counter()
    encoder = make_encoder()
    header = header_of(source, encoder, windows)
    library = library_at(path, header, encoder, source, "lance")
    store = library.store
    assert isinstance(store, LanceStore)
    listed = {some.take.key: some for some in source.list() if in_share(some.take.key, share)}
    stale, new = changes(source, listed, library.held(), among=lambda key: in_share(key, share))
    if stale:
        library.remove(stale)
    batches = [
        Batch(source, tuple(new[first : first + FILES_PER_BATCH]), make_encoder, header, store.uri)
        for first in range(0, len(new), FILES_PER_BATCH)
    ]
    outcome = _commit_all(store, engine.run(batches), len(new), progress)
    if copies := store.drop_copies():
        log.warning("%d takes were written by another process too; one copy is kept", copies)
    report = Path(SKIPPED) if is_remote(path) else Path(path) / SKIPPED
    write_skipped(report, outcome.skipped.items())
    if outcome.skipped:
        log.warning("%d files cannot be used, all are in %s", len(outcome.skipped), report)
    if share[1] == 1:
        store.index()
    if not len(store) and outcome.skipped:
        file, reason = next(iter(outcome.skipped.items()))
        raise InputError(f"no file can be used, {len(outcome.skipped)} skipped; {file}: {reason}")
    return Outcome(
        outcome.takes,
        outcome.rows,
        sum(map(source.wants, (some.take for some in listed.values()))) - len(new),
        outcome.skipped,
        time.perf_counter() - start,
    )


def in_share(key: str, share: tuple[int, int]) -> bool:
    """Whether a motion belongs to part i of n."""
    part, parts = share
    digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") % parts == part


def encode_batch(batch: Batch) -> Written:
    """Read and encode a batch of files, and write its fragments without a commit."""
    skipped: Skipped = {}
    encoder = _encoder(batch.make_encoder)
    fragments, rows, keys = [], 0, set()
    for part in encode_motions(_read(batch, skipped), encoder, batch.header.windows):
        fragments += write_rows(batch.uri, batch.header, part.entries, part.latents)
        rows += len(part.entries)
        keys |= {entry.key for entry in part.entries}
    return Written(fragments, len(keys), rows, skipped)


@lru_cache(maxsize=1)
def _encoder(make_encoder: MakeEncoder) -> Encoder:
    """The model of a worker, loaded once."""
    torch.set_num_threads(1)  # workers are the parallelism
    return make_encoder()


def _read(batch: Batch, skipped: Skipped) -> Iterator[Motion]:
    for listed in batch.listed:
        found = attempt(batch.source, listed)
        if isinstance(found, Motion):
            yield found
        else:
            skipped.update([found])


def _commit_all(
    store: LanceStore, results: Iterable[Written], total: int, progress: Progress
) -> Written:
    """Commit the fragments of finished batches every few seconds; all of them as one result."""
    waiting: list[Any] = []
    takes, rows, skipped = 0, 0, {}
    last = time.monotonic()
    try:
        for written in results:
            waiting += written.fragments
            takes, rows = takes + written.takes, rows + written.rows
            skipped |= written.skipped
            progress(takes + len(skipped), total)
            if time.monotonic() - last >= COMMIT_SECONDS:
                store.commit(waiting)
                waiting, last = [], time.monotonic()
    finally:
        store.commit(waiting)
    return Written([], takes, rows, skipped)
