"""Files below a folder, whatever else lies there: links in circles, dead links, pipes, devices."""

import os
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tmr.errors import InputError

# Names looked at before the folder counts as a mistake, such as the root of a machine.
MAX_ENTRIES = 1_000_000


@dataclass(frozen=True, slots=True)
class FoundFiles:
    """Ordinary files, sorted, and what has the right suffix but cannot be read, with the reason.

    ``others`` counts the suffixes of all other names.
    """

    files: list[Path]
    unusable: dict[Path, str]
    others: Counter[str]


def find_files(folder: Path, suffixes: Iterable[str], max_entries: int = MAX_ENTRIES) -> FoundFiles:
    """Find the ordinary files with these suffixes below ``folder``.

    Links are followed, and every real folder is read once: under its own path where it has one
    below ``folder``, otherwise under the link that is found first. Names that start with a dot
    are left out. Folders that others delete in the meantime are unusable.

    Raises:
        InputError: there are more than ``max_entries`` names below the folder.
    """
    suffixes = tuple(suffix.lower() for suffix in suffixes)
    files: list[Path] = []
    unusable: dict[Path, str] = {}
    others: Counter[str] = Counter()
    folders, linked_folders = deque([folder]), deque[Path]()
    seen: set[tuple[int, int]] = set()
    entries = 0
    while folders or linked_folders:
        current = folders.popleft() if folders else linked_folders.popleft()
        try:
            status = current.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            found = sorted(os.scandir(current), key=lambda entry: entry.name)
        except OSError as error:
            unusable[current] = f"a folder that cannot be read: {error.strerror}"
            continue
        entries += len(found)
        if entries > max_entries:
            raise InputError(
                f"more than {max_entries:,} names below {folder}: give the folder of the motions"
            )
        for entry in found:
            path = Path(entry.path)
            if entry.name.startswith("."):
                continue
            # Links to themselves and into other people's processes make DirEntry and Path raise.
            if os.path.isdir(path):  # noqa: PTH112
                (linked_folders if entry.is_symlink() else folders).append(path)
            elif entry.name.lower().endswith(suffixes):
                if not _is_text(entry.path):
                    shown = os.fsencode(path).decode(errors="backslashreplace")
                    unusable[Path(shown)] = "its name is not UTF-8: rename it"
                elif os.path.isfile(path):  # noqa: PTH113
                    files.append(path)
                else:
                    unusable[path] = (
                        "a link to a file that is not there"
                        if entry.is_symlink()
                        else "not an ordinary file"
                    )
            else:
                others[path.suffix.lower() or path.name] += 1
    return FoundFiles(sorted(files), unusable, others)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
