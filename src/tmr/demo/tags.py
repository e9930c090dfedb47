"""Tags that people give motions on the page, kept with their library."""

import threading
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from tmr.errors import InputError
from tmr.io import write_bytes
from tmr.search.library import Library

FAVORITE = "favorite"  # the tag that the star stands for
FILE = "tags.json"  # beside the library's rows; tags of a take outlive a change of its file
MAX_TAGS, MAX_LENGTH = 20, 40


@dataclass
class Tags:
    """Tags by library and key; methods may be called from several threads."""

    by_library: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, library: Library) -> dict[str, list[str]]:
        """The tags of each take that has some, read once from the library's folder."""
        name = _identity(library)
        with self.lock:
            if name not in self.by_library:
                self.by_library[name] = _read(library)
            return self.by_library[name]

    def put(self, library: Library, key: str, tags: list[str]) -> list[str]:
        """Give a take these tags, in place of those that it had; sorted, each once.

        Raises:
            InputError: no such take, or too many or too long tags.
        """
        library.entry(key)
        clean = sorted({" ".join(tag.split()).lower() for tag in tags} - {""})
        if len(clean) > MAX_TAGS or any(len(tag) > MAX_LENGTH for tag in clean):
            raise InputError(f"expected at most {MAX_TAGS} tags of at most {MAX_LENGTH} letters")
        known = self.of(library)
        with self.lock:
            known.pop(key, None)
            if clean:
                known[key] = clean
            path = _file(library)
            if path is not None:
                write_bytes(path, orjson.dumps(known, option=orjson.OPT_INDENT_2))
        return clean

    def forget(self, library: Library) -> None:
        """Drop what is known of a library that is removed."""
        with self.lock:
            self.by_library.pop(_identity(library), None)


def _identity(library: Library) -> str:
    return str(library.path or id(library))


def _file(library: Library) -> Path | None:
    folder = library.path
    return folder / FILE if isinstance(folder, Path) and folder.is_dir() else None


def _read(library: Library) -> dict[str, list[str]]:
    path = _file(library)
    if path is None or not path.is_file():
        return {}
    try:
        known = orjson.loads(path.read_bytes())
        return {str(key): [str(tag) for tag in tags] for key, tags in known.items()}
    except (ValueError, AttributeError, TypeError):
        raise InputError(f"{path.name} of {library.name!r} is damaged; delete it") from None
