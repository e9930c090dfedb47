"""How far a long work is: a bar on a terminal, elsewhere a line in the log every half minute.

And whether it is still wanted: what may take seconds asks now and then.
"""

import logging
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import TypeVar

from tqdm import tqdm

from tmr.errors import InputError

log = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 30.0

Item = TypeVar("Item")


class Progress:
    """Called with the number done and the number of all; shows rate and time left.

    With ``total`` known before, `update` counts. Nothing is shown unless ``shown``.
    """

    def __init__(self, what: str, unit: str, total: int = 0, shown: bool = True) -> None:
        self.what = what
        self.unit = unit
        self.total = total
        self.done = 0
        self._shown = shown
        self._bar = tqdm(desc=what, total=total, unit=f" {unit}", disable=None if shown else True)
        self._start = self._last = time.monotonic()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.close()

    def update(self, count: int) -> None:
        """Show that ``count`` more are done."""
        self(self.done + count, self.total)

    def __call__(self, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` are done."""
        self.done, self.total = done, total
        if sys.stderr.isatty():
            self._bar.total = total
            self._bar.update(done - self._bar.n)
            return
        now = time.monotonic()
        if self._shown and done and now - self._last >= SECONDS_BETWEEN_LINES:
            self._last = now
            log.info(self.line(done, total, now - self._start))

    def line(self, done: int, total: int, seconds: float) -> str:
        """The line for a log."""
        rate = done / max(seconds, 1e-9)
        left = (total - done) / rate / 60
        return (
            f"{self.what}: {done:,} of {total:,} {self.unit}, {rate:,.1f} {self.unit}/s, "
            f"{left:,.0f} min left"
        )


def each(items: Collection[Item], what: str, unit: str, shown: bool = True) -> Iterator[Item]:
    """The items one by one, with progress."""
    with Progress(what, unit, len(items), shown) as progress:
        for item in items:
            yield item
            progress.update(1)


class Unwanted(InputError):
    """Nobody waits any more for what is being done."""


_unwanted: ContextVar[Callable[[], bool]] = ContextVar("unwanted", default=lambda: False)


@contextmanager
def wanted_until(unwanted: Callable[[], bool]) -> Iterator[None]:
    """What is done in the block stops once ``unwanted()``: somebody has gone away."""
    token = _unwanted.set(unwanted)
    try:
        yield
    finally:
        _unwanted.reset(token)


def check_wanted() -> None:
    """Raise Unwanted where nobody waits any more for what is being done."""
    if _unwanted.get()():
        raise Unwanted("stopped: nobody waits for it any more")
