"""Atomic writes: a file under its final name is always whole."""

import errno
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import orjson

# The names that atomic_path gives: a dot, the stem, eight random characters, the suffix.
LEFTOVER = re.compile(r"\..*-[a-z0-9_]{8}(\.\w+)?")
# No space left, no quota left, or more than a file may have.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def atomic_path(path: Path | str, durable: bool = False) -> Iterator[Path]:
    """A temporary path beside ``path``, renamed to it on success and deleted on failure.

    Parent folders are made. The temporary name starts with a dot and keeps the suffix, because
    writers such as ``np.save`` choose the format, or add a suffix, by it. With ``durable``, the
    content is on the disk before the old file goes, for a machine that may lose power.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        if durable:
            _flush(temporary)
        temporary.replace(path)
        if durable:
            _flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Delete temporary files below ``folder`` of writers that were killed; none may be at work."""
    for path in folder.rglob(".*"):
        if LEFTOVER.fullmatch(path.name) and path.is_file():
            path.unlink(missing_ok=True)


def disk_is_full(error: BaseException | None) -> bool:
    """Whether an error comes from a full disk; torch wraps those of a file that it writes to."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        error = error.__cause__ or error.__context__
    return False


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def save_array(path: Path | str, array: np.ndarray) -> None:
    """Write ``array`` as ``.npy``, atomically."""
    with atomic_path(path) as temporary:
        np.save(temporary, array)


def write_text(path: Path | str, text: str) -> None:
    """Write UTF-8 text, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path | str, value: object) -> None:
    """Write indented JSON, atomically; NumPy arrays and numbers are allowed."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY
    with atomic_path(path) as temporary:
        temporary.write_bytes(orjson.dumps(value, option=options))
