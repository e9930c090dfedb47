"""Files that can be made again: one format, one fingerprint, one checksum.

A cache is a safetensors file. Its one metadata entry, ``tmr``, is JSON with the fingerprint of all
that it was made from, a record (what tensors cannot hold) and the CRC-32 of record and tensors. A
cache made from something else, a damaged one or a foreign one is as good as none: whoever reads it
makes it again. One that cannot be written is done without.
"""

import logging
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import torch
from safetensors import safe_open
from torch import Tensor

from tmr.digests import content_digest, fingerprint
from tmr.io import WriteError, remove_leftovers, save_tensors

log = logging.getLogger(__name__)

_ENTRY = "tmr"
# A file may change twice within one tick of its file system's clock.
_CLOCK_TICK = 100_000_000  # nanoseconds

State = tuple[int, int, int, str]


@dataclass(frozen=True, slots=True)
class CacheFile:
    """An opened cache: its tensors are views of the mapped file, private to this process."""

    path: Path
    tensors: Mapping[str, Tensor]
    record: Any
    _record_bytes: bytes
    _checksum: int

    def is_intact(self) -> bool:
        """Whether the checksum is right. Reads the whole file; a wrong one is logged."""
        found = checksum(self.tensors, self._record_bytes)
        if found != self._checksum:
            log.warning("%s is damaged (wrong checksum) and will be made again", self.path)
        return found == self._checksum


def read(path: Path | str, fingerprint: str, verify: bool = True) -> CacheFile | None:
    """The cache in a file; None when there is none, or one made from something else.

    A damaged one is named in the log, and not used either.

    With ``verify``, the whole file is read once to compare its checksum. Without, its header and
    size are checked, and `CacheFile.is_intact` remains to be called before numbers are used.
    """
    path = Path(path)
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            entry = orjson.loads(file.metadata()[_ENTRY])
            made_from, record, expected = (
                entry[name] for name in ("fingerprint", "record", "checksum")
            )
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        cache = CacheFile(path, tensors, orjson.loads(record), record.encode(), expected)
    except Exception as error:  # each kind of damage has its own
        reason = str(error).partition("\n")[0]
        log.warning("%s is damaged (%s) and will be made again", path, reason)
        return None
    if made_from != fingerprint:
        log.debug("%s was made from other files or options", path)
        return None
    return cache if not verify or cache.is_intact() else None


def write(
    path: Path | str, tensors: Mapping[str, Tensor], record: object, fingerprint: str
) -> bool:
    """Write a cache, atomically; False, with one warning, where that is not possible.

    ``record`` is a JSON value. What killed writers left in the folder is removed first.
    """
    path = Path(path)
    remove_leftovers(path.parent)
    text = orjson.dumps(record).decode()
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
    entry = {
        "fingerprint": fingerprint,
        "record": text,
        "checksum": checksum(tensors, text.encode()),
    }
    try:
        # One entry: with several, safetensors writes them in an order that changes.
        save_tensors(path, tensors, {_ENTRY: orjson.dumps(entry).decode()})
    except WriteError as error:
        log.warning("going on without a cache: %s", error)
        return False
    return True


def content_digests(files: Mapping[str, Path], index: Path | str | None = None) -> dict[str, str]:
    """SHA-256 of the content of each file that exists, by name.

    ``index`` is a cache of digests: a file whose size, time and inode times are still those it had
    when it was last read is not read again.
    """
    made_from = fingerprint("content_digests", 1)
    known = None if index is None else read(index, made_from)
    before: dict[str, State] = {} if known is None else {n: tuple(s) for n, s in known.record}
    after: dict[str, State] = {}
    found: dict[str, str] = {}
    now = time.time_ns()
    for name, file in files.items():
        try:
            status = file.stat()
        except FileNotFoundError:
            continue
        key = str(file)
        state = (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        held = before.get(key)
        digest = held[3] if held is not None and held[:3] == state else content_digest(file)
        found[name] = digest
        if max(status.st_mtime_ns, status.st_ctime_ns) + _CLOCK_TICK < now:
            after[key] = (*state, digest)
    if index is not None and after != before:
        write(index, {}, sorted(after.items()), made_from)
    return found


def checksum(tensors: Mapping[str, Tensor], record: bytes = b"") -> int:
    """CRC-32 of tensors with their names, types and shapes, and of what is kept beside them."""
    found = zlib.crc32(record)
    for name, tensor in sorted(tensors.items()):
        described = f"{name} {tensor.dtype} {tuple(tensor.shape)}"
        found = zlib.crc32(described.encode(), found)
        found = zlib.crc32(_bytes_of(tensor), found)
    return found


def _bytes_of(tensor: Tensor) -> memoryview | bytes:
    if tensor.numel() == 0:
        return b""
    return tensor.detach().contiguous().view(-1).view(torch.uint8).numpy().data
