"""Motion files read in processes of their own, while a server goes on.

Parsing a large file holds Python's lock: for as long, a server would answer nobody and not end. A
process can be killed at any moment, and has a bound on its memory.
"""

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from tmr.errors import InputError
from tmr.progress import check_wanted

MAX_CHILDREN = 3
MAX_SECONDS = 120
MAX_BYTES = 2 * 1024**3  # of memory that a file may take
SECONDS_BETWEEN_LOOKS = 0.1  # whether the result is still wanted

Rest = ParamSpec("Rest")
Result = TypeVar("Result")

_CONTEXT = multiprocessing.get_context("spawn")  # torch and threads do not survive a fork


def apart(function: Callable[..., Result], path: Path, *args: Any, **options: Any) -> Result:
    """``function(path, ...)``, in a process of its own within :func:`children`, else in this one.

    Raises:
        InputError: what the function raises; within :func:`children` also: it takes too long or
            too much memory, its process died, or nobody waits for it any more.
    """
    if not _running:
        return function(path, *args, **options)
    return _running[-1].call(function, path, args, options)


@contextmanager
def children() -> Iterator[None]:
    """Processes for :func:`apart` during the block; the first starts now, others when needed."""
    _running.append(_Children())
    try:
        yield
    finally:
        _running.pop().close()


def end_children() -> None:
    """End what is being read: whoever waits for it gets an InputError."""
    for some in _running:
        some.close()


class _Children:
    def __init__(self) -> None:
        self.free = threading.BoundedSemaphore(MAX_CHILDREN)
        self.lock = threading.Lock()
        self.closed = False
        self.idle = [_Child()]
        self.all = {*self.idle}

    def call(self, function: Callable[..., Any], path: Path, args: Any, options: Any) -> Any:
        while not self.free.acquire(timeout=SECONDS_BETWEEN_LOOKS):
            check_wanted()
        try:
            child = self._take()
            try:
                kind, value = child.ask(function, path, args, options)
            except BaseException:
                self._end(child)
                raise
            if kind == _FULL:
                self._end(child)
            else:
                with self.lock:
                    self.idle.append(child)
        finally:
            self.free.release()
        if kind == _DONE:
            return value
        if kind == _FAILED:
            raise RuntimeError(value)
        raise InputError(value)

    def _take(self) -> "_Child":
        with self.lock:
            if self.closed:
                raise InputError("the server ends")
            child = next((c for c in reversed(self.idle) if c.process.is_alive()), None)
            if child is None:
                child = _Child()
                self.all.add(child)
            self.idle = [c for c in self.idle if c is not child and c.process.is_alive()]
            return child

    def _end(self, child: "_Child") -> None:
        with self.lock:
            self.all.discard(child)
        child.process.kill()

    def close(self) -> None:
        with self.lock:
            self.closed = True
            for child in self.all:
                child.process.kill()


_running: list[_Children] = []
_DONE, _REFUSED, _FULL, _FAILED = range(4)


class _Child:
    def __init__(self) -> None:
        self.connection, theirs = _CONTEXT.Pipe()
        self.process = _CONTEXT.Process(target=_serve, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()

    def ask(
        self, function: Callable[..., Any], path: Path, args: Any, options: Any
    ) -> tuple[int, Any]:
        began = time.monotonic()
        try:
            self.connection.send((function, path, args, options))
            while not self.connection.poll(SECONDS_BETWEEN_LOOKS):
                check_wanted()
                if time.monotonic() - began > MAX_SECONDS:
                    raise InputError(
                        f"{path}: reading it takes longer than {MAX_SECONDS} seconds; cut it "
                        "into parts"
                    )
            return self.connection.recv()
        except (EOFError, OSError):
            raise InputError(
                f"{path}: its reader ended; it is damaged, or too large for this computer"
            ) from None


def _serve(connection: Connection) -> None:
    """Do what comes through a connection, until its other end is closed."""
    import signal  # noqa: PLC0415  what follows is for a process of its own
    import traceback  # noqa: PLC0415

    import tmr.motion.measured  # noqa: F401, PLC0415  before the first file

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the parent, and that this process
    _bound_memory()
    with suppress(EOFError, OSError):
        while True:
            function, path, args, options = connection.recv()
            try:
                answer = _DONE, function(path, *args, **options)
            except InputError as error:
                answer = _REFUSED, str(error)
            except MemoryError:
                size = MAX_BYTES // 1024**3
                answer = _FULL, f"{path}: reading it takes more than {size} GB; cut it into parts"
            except Exception:
                answer = _FAILED, traceback.format_exc()
            connection.send(answer)
            del answer


def _bound_memory() -> None:
    """Let this process take no more memory, where the system can bound it."""
    with suppress(ImportError, OSError, ValueError):
        import resource  # noqa: PLC0415  not on Windows

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        size = pages * resource.getpagesize() + MAX_BYTES
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (size, most))
