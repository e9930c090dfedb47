"""Libraries of folders that people import: kept in the run folder, found again after a restart."""

import logging
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tmr.api import Model
from tmr.errors import InputError
from tmr.motion.conventions import Overrides
from tmr.progress import Unwanted, check_wanted, wanted_until
from tmr.runs.libraries import library_folder
from tmr.search.library import Library, source_of
from tmr.search.sources import FolderSource
from tmr.search.stores.factory import open_store

log = logging.getLogger(__name__)

FOLDER = "imported"
MOMENTS = "moments"  # beside it: the same takes with their windows
WINDOWS = (2.0, 4.0)  # seconds
RESERVED = ("uploads", "all libraries")
SECONDS_TO_TELL = 1.0  # until a rate says something
Progress = Callable[[int, int], object]


@dataclass
class Libraries:
    """The libraries of the page by their names: ``main``, and those of imported folders.

    Two folders of one name are two libraries. A library lies in a folder of its name in the run
    folder, or in memory where that cannot be written to. Methods may be called from several
    threads.

    The windows of folders' takes are encoded in the background, into ``moments``; ``encoding``
    has the takes done and all to do of those that are not yet. ``outdated`` has the folders of
    libraries that another model encoded: they cannot be searched before :meth:`renew`.
    """

    model: Model
    main: Library
    by_name: dict[str, Library] = field(init=False)
    outdated: dict[str, FolderSource] = field(default_factory=dict)
    moments: dict[str, Library] = field(default_factory=dict)
    encoding: dict[str, tuple[int, int]] = field(default_factory=dict)
    stopping: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.by_name = {self.main.name: self.main}
        root = self._kept()
        for path in sorted(root.iterdir() if root else ()):
            try:
                if path.is_dir():
                    self._open(path)
            except InputError as error:
                log.warning("an imported library is left out: %s", error)

    def _open(self, path: Path) -> None:
        store = open_store(path)
        if store is None:  # an import that was stopped early
            return
        source = source_of(store.header)
        if store.header.fingerprint == self.model.fingerprint:
            self.by_name.setdefault(path.name, Library(self.model, store, source, path))
        elif source is not None:
            self.outdated[path.name] = source
        else:
            log.warning("%s is of another model, and its folder is gone", path)

    def windowed(self, name: str) -> Library | None:
        """The library with the windows of a library's takes, where there is one by now."""
        return self[name] if self[name].windows else self.moments.get(name)

    def encode_moments(self, *names: str) -> None:
        """Have the windows of folders' takes encoded, by default of every library's.

        Returns at once; what is encoded already is kept.
        """
        for name in names or self:
            library = self[name]
            if isinstance(library.source, FolderSource) and not library.windows and len(library):
                self._begin(name)

    def renew(self, name: str) -> None:
        """Have a library of another model encoded again; returns at once.

        Raises:
            InputError: no such library.
        """
        with self.lock:
            source = self.outdated.pop(name, None)
            if source is None:
                raise InputError(f"no library {name[:60]!r} has to be encoded again")
            self.by_name[name] = self._made(name, FOLDER, source)
            self._begin(name)

    def _begin(self, name: str) -> None:
        self.encoding[name] = (0, 0)
        threading.Thread(target=self._encode, args=(name,), daemon=True).start()

    def _made(self, name: str, kind: str, source: FolderSource) -> Library:
        """The library of a folder as it was left; an empty one where another model made it."""
        windows = WINDOWS if kind == MOMENTS else ()
        return Library.of_folder(
            source.folder / (source.only or ""), self.model, self._kept(name, kind),
            windows=windows, overrides=source.overrides, overwrite=True, refresh=False,
        )  # fmt: skip

    def __getitem__(self, name: str) -> Library:
        """The library of a name; InputError when there is none."""
        library = self.by_name.get(name)
        if library is None:
            raise InputError(f"no library {name[:60]!r}; there is {', '.join(self.by_name)}")
        return library

    def __iter__(self) -> Iterator[str]:
        """The names, the main library's first."""
        return iter(list(self.by_name))

    def __len__(self) -> int:
        """Number of libraries."""
        return len(self.by_name)

    def add(
        self, folder: Path, progress: Progress, overrides: Overrides | None = None
    ) -> tuple[str, Library]:
        """The library of a folder and its name, brought up to date where there is one.

        ``overrides`` is what the files do not state; given anew, all files are read again. Where
        none of the files can be used, the library is empty, and tells why.

        Raises:
            InputError: there is no motion file, or the import was stopped.
        """
        folder = folder.resolve()
        with self.lock, self._stoppable():
            name = self._name_of(folder)
            library = self._made(name, FOLDER, FolderSource.at(folder, overrides))
            self._refresh(library, progress)
            self.outdated.pop(name, None)
            self.by_name[name] = library
        self.encode_moments(name)
        return name, library

    def put(self, library: Library) -> None:
        """Show a library beside the others."""
        self.by_name[library.name] = library

    def refresh(self, name: str, progress: Progress) -> Library:
        """Bring a library in step with its files."""
        library = self[name]
        with self.lock, self._stoppable():
            self._refresh(library, progress)
        self.encode_moments(name)
        return library

    def _refresh(self, library: Library, progress: Progress) -> None:
        try:
            library.refresh(_checked(progress))
        except Unwanted:
            raise
        except InputError:
            if not library.skipped:  # with files that could not be used, there is a list to show
                raise

    def remove(self, name: str) -> None:
        """Forget an imported library; the motion files stay.

        Raises:
            InputError: no such library, or the one that the page was opened with.
        """
        if name not in self.outdated and self[name] is self.main:
            raise InputError(f"{name} is the library that the page was opened with; it stays")
        with self.lock:
            self.by_name.pop(name, None)
            self.outdated.pop(name, None)
            self.moments.pop(name, None)
            for kind in (FOLDER, MOMENTS):
                kept = self._kept(name, kind)
                if kept is not None:
                    shutil.rmtree(kept, ignore_errors=True)

    def _encode(self, name: str) -> None:
        with self.one_at_a_time:
            library = self.by_name.get(name)
            if library is None or not isinstance(library.source, FolderSource):
                return

            def report(done: int, total: int) -> None:
                if self.by_name.get(name) is not library:
                    raise InputError("removed or imported again meanwhile")
                self.encoding[name] = done, total

            try:
                if not len(library):
                    library.refresh(report)
                # What is encoded can be searched from the first part on.
                self.moments[name] = self._made(name, MOMENTS, library.source)
                self.moments[name].refresh(report)
            except (InputError, OSError) as error:
                log.warning("%s is not all encoded: %s", name, error)
            finally:
                self.encoding.pop(name, None)

    def path(self, name: str) -> str | Path | None:
        """Where the rows of a library are kept; None where it is in memory alone."""
        if name in self.outdated:
            return self._kept(name)
        return self[name].path

    def _kept(self, name: str = "", kind: str = FOLDER) -> Path | None:
        return library_folder(self.model.run, self.model.ckpt, str(Path(kind, name)))

    def _name_of(self, folder: Path) -> str:
        sources = {name: library.source for name, library in self.by_name.items()}
        for name, source in (sources | self.outdated).items():
            if isinstance(source, FolderSource) and source.folder.resolve() == folder:
                return name
        plain = re.sub(r"[^\w .()-]+", "_", folder.name).strip(" .")[:80] or "motions"
        names = [plain, f"{plain} ({folder.parent.name[:40]})"]
        names += [f"{plain} ({number})" for number in range(2, 1000)]
        taken = (*self.by_name, *self.outdated, *RESERVED)
        return next(name for name in names if name not in taken and "/" not in name)

    @contextmanager
    def _stoppable(self) -> Iterator[None]:
        """The import in the block ends once it is stopped; it goes on when its page is closed."""
        self.stopping.clear()
        try:
            with wanted_until(self.stopping.is_set):
                yield
        except Unwanted:
            raise InputError("the import was stopped; import again to go on where it was") from None


def _checked(progress: Progress) -> Progress:
    def report(done: int, total: int) -> None:
        progress(done, total)
        check_wanted()

    return report


def rate_shown() -> Callable[[int, int], str]:
    """Says how far an import is: files done of all, files a second, and the time left.

    The first file takes longer than others, for processes start; it is left out of the rate.
    """
    first: tuple[float, int] | None = None

    def text(done: int, total: int) -> str:
        nonlocal first
        if not done:
            return f"{total:,} files found"
        now = time.monotonic()
        first = first or (now, done)
        far, since = f"{done:,} of {total:,} files", now - first[0]
        if done == first[1] or since < SECONDS_TO_TELL:
            return far
        rate = (done - first[1]) / since
        left = (total - done) / rate
        minutes = f"{left / 60:.0f} min" if left > 90 else f"{left:.0f} s"
        return f"{far}, {rate:.1f} a second, {minutes} left"

    return text
