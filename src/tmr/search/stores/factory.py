"""The store of a library: found at a path, or made there."""

import importlib.util
import logging
import shutil
from pathlib import Path
from typing import Any

from tmr.errors import InputError
from tmr.search.stores import Header, Store, memory
from tmr.search.stores.memory import MemoryStore

log = logging.getLogger(__name__)

EXACT_ROWS = 300_000  # exact search takes some 40 ms and 300 MB
LANCE_FOLDER = "rows.lance"
STORES = ("auto", "memory", "lance")


def open_store(path: Path | str) -> Store | None:
    """The store at a path, None where there is none.

    Raises:
        InputError: it is damaged, or Lance is needed and not installed.
    """
    if is_remote(path) or (Path(path) / LANCE_FOLDER).is_dir():
        return _lance().open(path)
    return MemoryStore.open(Path(path)) if is_library(path) else None


def is_library(path: Path | str) -> bool:
    """Whether there is a library at a path, or on object storage may be one."""
    names = (LANCE_FOLDER, memory.FILE)
    return is_remote(path) or any((Path(path) / name).exists() for name in names)


def changed_at(path: Path | str) -> float | None:
    """When the library in a folder was changed last, in seconds since 1970; None without one."""
    if is_remote(path):
        return None
    places = (Path(path) / name for name in (LANCE_FOLDER, memory.FILE))
    return max((place.stat().st_mtime for place in places if place.exists()), default=None)


def create_store(
    header: Header,
    path: Path | str | None,
    kind: str = "auto",
    rows: int = 0,
    replace: bool = False,
) -> Store:
    """An empty store at a path; ``rows`` is how many are expected.

    With ``replace``, in place of what was there; without, a store in Lance that another process
    has made there meanwhile is opened.

    Raises:
        InputError: no such kind, none that keeps a library at such a path, or Lance is needed and
            not installed.
    """
    if kind not in STORES:
        raise InputError(f"store={kind}: expected one of {', '.join(STORES)}")
    remote = path is not None and is_remote(path)
    if kind == "auto":
        kind = "lance" if remote or (path is not None and rows > EXACT_ROWS) else "memory"
    if kind == "lance":
        if path is None:
            raise InputError("store=lance keeps the library on a disk: give it a path")
        return _lance().create(header, path, replace)
    if remote:
        raise InputError(f"store=memory cannot keep a library at {path}; use store=lance")
    if path is not None and (Path(path) / LANCE_FOLDER).is_dir():
        shutil.rmtree(Path(path) / LANCE_FOLDER)
    return MemoryStore(header, None if path is None else Path(path))


def outgrown(store: Store, path: Path | str | None) -> Store:
    """The store, moved from memory to Lance where it has more rows than exact search is for.

    Where Lance is not installed, it stays in memory, and the log says so.
    """
    if not isinstance(store, MemoryStore) or path is None or len(store) <= EXACT_ROWS:
        return store
    if importlib.util.find_spec("lance") is None:
        log.warning(
            "%s has %d rows: above %d, `pip install pylance` makes searching faster",
            path, len(store), EXACT_ROWS,
        )  # fmt: skip
        return store
    log.info("%s has %d rows and is kept in Lance from now on", path, len(store))
    aside = Path(path) / f".{LANCE_FOLDER}"
    shutil.rmtree(aside, ignore_errors=True)
    moved = _lance().create(store.header, aside)
    for entries, latents in store.scan():
        moved.replace([], entries, latents)
    moved.index()
    (aside / LANCE_FOLDER).replace(Path(path) / LANCE_FOLDER)
    aside.rmdir()
    (Path(path) / memory.FILE).unlink()
    return _lance().open(path)


def is_remote(path: Path | str) -> bool:
    """Whether a path is an address of object storage, such as ``s3://bucket/folder``."""
    return "://" in str(path)


def _lance() -> Any:
    """The class of the Lance store, imported at its first use."""
    try:
        from tmr.search.stores.lance import LanceStore  # noqa: PLC0415  optional
    except ImportError:
        raise InputError(
            "store=lance and libraries kept in Lance need the package pylance: run "
            "`pip install pylance`, or use store=memory"
        ) from None
    return LanceStore
