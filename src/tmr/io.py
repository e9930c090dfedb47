"""Atomic writes: a file under its final name is always whole."""

import errno
import os
import re
import shutil
import sys
import sysconfig
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import orjson

from tmr.errors import InputError

# A file is written in a folder of this name beside its place. Some writers, safetensors for one,
# make temporary files of their own: those lie in there too.
PARTIAL = ".tmr-partial-"
_YOUNG = 2  # seconds in which a writer has locked the partial folder it made
_ABANDONED = 24 * 3600  # seconds after which one is litter where the file system has no locks
# No space left, no quota left, or more than a file may have.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# What libraries that drop the number of an error put into its message.
_FULL_MESSAGE = re.compile(
    rf"\bos error ({'|'.join(map(str, FULL))})\b|\d+ requested and \d+ written"
)


# Where the open model and published statistics are: the repository, or an installed wheel.
_SHIPPED = (Path(__file__).parents[2], Path(sysconfig.get_path("data"), "share", "tmr"))


def shipped(path: Path | str) -> Path:
    """A file or folder in the working folder, or else the one of this path that comes with tmr."""
    for root in (Path(), *_SHIPPED):
        if (root / path).exists():
            return root / path
    return Path(path)


Result = TypeVar("Result")


class WriteError(InputError):
    """A file cannot be written: no permission, or a read-only or full disk."""


@contextmanager
def atomic_path(path: Path | str, durable: bool = False, size: int | None = None) -> Iterator[Path]:
    """A temporary path, renamed to ``path`` on success and deleted on failure.

    Parent folders are made. What killed writers left there goes with a process's first file. The
    temporary file has the name of the final one, in a folder beside it. With ``durable``, the
    content is on the disk before the old file goes, for a machine that may lose power. ``size`` is
    how many bytes will be written, where that is known.

    Raises:
        WriteError: the folder cannot be written to, or the disk is full.
    """
    path = Path(path)
    with _writing(path, size):
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent.absolute())
        folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=PARTIAL))
    temporary = folder / path.name
    try:
        with _locked(folder):
            try:
                yield temporary
            except Exception as error:
                if disk_is_full(error):
                    raise _full(path, size or _size(temporary)) from error
                raise
            with _writing(path, size):
                if durable:
                    _flush(temporary)
                temporary.replace(path)
        if durable and sys.platform != "win32":  # which opens no folders
            _flush(path.parent)
    finally:
        try:
            folder.rmdir()
        except OSError:  # not empty: the write failed
            shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers(folder: Path | str, recursive: bool = False) -> None:
    """Delete what killed writers left in ``folder``; what a living one works on stays."""
    # Not rglob: up to Python 3.12 it fails where another process removes what it walks through.
    for parent, names, _ in os.walk(folder):
        for name in [name for name in names if name.startswith(PARTIAL)]:
            names.remove(name)  # not walked into
            if _is_abandoned(partial := Path(parent, name)):
                shutil.rmtree(partial, ignore_errors=True)
        if not recursive:
            break


@cache
def _sweep(folder: Path) -> None:
    """``remove_leftovers``, once a process: the next file would find nothing new, but search."""
    remove_leftovers(folder)


def call_in(folder: Path, function: Callable[..., Result], *arguments: Any) -> Result:
    """Call in ``folder``: joblib keeps workers in the one where they were started."""
    os.chdir(folder)
    return function(*arguments)


def disk_is_full(error: BaseException | None) -> bool:
    """Whether an error comes from a full disk; libraries wrap those of a file they write to."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        if _FULL_MESSAGE.search(str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False


def save_array(path: Path | str, array: np.ndarray) -> None:
    """Write ``array`` as ``.npy``, atomically."""
    with atomic_path(path, size=array.nbytes) as temporary:
        np.save(temporary, array)


def save_tensors(
    path: Path | str, tensors: Mapping[str, object], metadata: Mapping[str, str] | None = None
) -> None:
    """Write torch tensors by name as ``.safetensors``, atomically."""
    from safetensors.torch import save_file  # noqa: PLC0415  imports torch

    size = sum(tensor.nbytes for tensor in tensors.values())  # pyright: ignore
    with atomic_path(path, size=size) as temporary:
        save_file(dict(tensors), temporary, dict(metadata or {}))  # pyright: ignore
        temporary.chmod(0o666 & ~_umask())  # safetensors lets the owner alone read it


def save_pickle(path: Path | str, content: object, durable: bool = False) -> None:
    """Write what ``torch.load`` reads (``.pt``, ``.ckpt``), atomically."""
    import torch  # noqa: PLC0415  takes a second

    # Given a path instead of a file, torch does not say why it could not write.
    with atomic_path(path, durable) as temporary, temporary.open("wb") as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:  # of Ctrl-C, torch says that the file is not whole
            if isinstance(error.__context__, KeyboardInterrupt):
                raise KeyboardInterrupt from None
            raise


def load_pickle(path: Path | str) -> Any:
    """What ``save_pickle`` wrote, on the CPU. No code is run, and checksums are compared.

    torch compares none, and would unpack what it never packs: a bomb.

    Raises:
        BadZipFile: a wrong checksum, or compressed content.
        Exception: another one for each kind of damage.
    """
    import torch  # noqa: PLC0415  takes a second

    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(member.compress_type for member in archive.infolist()):
                raise zipfile.BadZipFile("its content is compressed, which torch never does")
            if archive.testzip() is not None:
                raise zipfile.BadZipFile("wrong checksum")
    return torch.load(path, map_location="cpu", weights_only=True)


def write_text(path: Path | str, text: str) -> None:
    """Write UTF-8 text, atomically."""
    write_bytes(path, text.encode())


def write_json(path: Path | str, value: object) -> None:
    """Write indented JSON, atomically; NumPy arrays and numbers are allowed."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY
    write_bytes(path, orjson.dumps(value, option=options))


def write_bytes(path: Path | str, content: bytes) -> None:
    """Write a whole file, atomically."""
    with atomic_path(path, size=len(content)) as temporary:
        temporary.write_bytes(content)


@contextmanager
def _writing(path: Path, size: int | None) -> Iterator[None]:
    """Turn errors of the file system into one that names the file."""
    try:
        yield
    except OSError as error:
        if disk_is_full(error):
            raise _full(path, size or 0) from error
        reason = (error.strerror or type(error).__name__).lower()
        raise WriteError(
            f"cannot write {path}: {reason}; choose a folder that can be written to"
        ) from error


def _full(path: Path, size: int) -> WriteError:
    try:
        free = shutil.disk_usage(path.parent).free
    except OSError:  # the folder could not be made
        free = 0
    return WriteError(
        f"cannot write {path}: the disk is full or the file larger than allowed "
        f"({size:,} bytes wanted, {free:,} free); make space and run the command again"
    )


def _size(temporary: Path) -> int:
    return sum(file.stat().st_size for file in temporary.parent.iterdir() if file.is_file())


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a lock on a partial folder; the system lets it go when the process ends."""
    try:
        descriptor = _lock(folder)
    except OSError:  # no locks on this file system
        descriptor = None
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _lock(folder: Path) -> int | None:
    if sys.platform == "win32":
        return None
    import fcntl  # noqa: PLC0415  not on Windows

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _is_abandoned(partial: Path) -> bool:
    try:
        age = time.time() - partial.stat().st_mtime
    except OSError:  # its writer has finished
        return False
    try:
        descriptor = _lock(partial)
    except BlockingIOError:
        return False
    except OSError:
        descriptor = None
    if descriptor is None:
        return age > _ABANDONED
    os.close(descriptor)
    return age > _YOUNG


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
