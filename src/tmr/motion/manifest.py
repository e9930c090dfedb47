"""What preparation has made: every file with the bytes, the options and the version it came from.

A manifest lies beside the files that it lists. A line is appended as soon as a file is written, so
that a killed run loses only what was in flight; what is not listed is made again.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from tmr.digests import content_digest
from tmr.io import write_text

MANIFEST = ".manifest.jsonl"


@dataclass(frozen=True, slots=True)
class Stamp:
    """Content of source files: ``digest`` decides; equal ``times`` and sizes spare reading it."""

    times: str
    digest: str

    @classmethod
    def of(cls, sources: Iterable[Path]) -> "Stamp":
        """The stamp of files that are there."""
        sources = list(sources)
        times = times_of(sources)  # before the content: a later change shows in the times
        return cls(times, content_digest(*sources))


def times_of(sources: Iterable[Path]) -> str:
    """Sizes, modification and inode times of files, as text."""
    states = [path.stat() for path in sources]
    return " ".join(f"{s.st_size}:{s.st_mtime_ns}:{s.st_ctime_ns}" for s in states)


class Manifest:
    """The manifest of one folder of made files.

    ``source`` is the folder that they were made from. Entries go by the path of the source file
    relative to it.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / MANIFEST
        self.source: Path | None = None
        self._entries: dict[str, tuple[str, Stamp]] = {}
        self._lines = 0
        if not self.path.is_file():
            return
        for line in self.path.read_text("utf-8", errors="replace").splitlines():
            self._lines += 1
            try:
                match json.loads(line):
                    case {"source": str(source)}:
                        self.source = Path(source)
                    case [str(name), str(options), str(times), str(digest)]:
                        self._entries[name] = (options, Stamp(times, digest))
                    case [str(name)]:
                        self._entries.pop(name, None)
            except ValueError:  # the line that a killed run was writing
                continue

    @property
    def names(self) -> list[str]:
        """Relative paths of the source files of all that was made."""
        return list(self._entries)

    def begin(self, source: Path) -> None:
        """Start a run that makes files from ``source``."""
        if self.source != source.absolute():
            self.source = source.absolute()
            self._append({"source": str(self.source)})

    def is_done(self, name: str, sources: Sequence[Path], options: str) -> bool:
        """Whether ``name`` was made from these bytes with these options."""
        made_with, stamp = self._entries.get(name, ("", None))
        if stamp is None or made_with != options:
            return False
        if times_of(sources) == stamp.times:
            return True
        fresh = Stamp.of(sources)
        if fresh.digest != stamp.digest:
            return False
        self.add(name, options, fresh)
        return True

    def add(self, name: str, options: str, stamp: Stamp) -> None:
        """Note that ``name`` has been made."""
        self._entries[name] = (options, stamp)
        self._append([name, options, *astuple(stamp)])

    def remove(self, name: str) -> None:
        """Note that what was made from ``name`` is gone."""
        if self._entries.pop(name, None) is not None:
            self._append([name])

    def compact(self) -> None:
        """Rewrite the file without the lines that later ones replace."""
        if self._lines == len(self._entries) + 1:
            return
        rows = [[name, made, *astuple(stamp)] for name, (made, stamp) in self._entries.items()]
        lines = [json.dumps({"source": str(self.source)}), *map(json.dumps, sorted(rows))]
        write_text(self.path, "\n".join(lines) + "\n")
        self._lines = len(lines)

    def _append(self, value: object) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(value) + "\n")
        self._lines += 1
