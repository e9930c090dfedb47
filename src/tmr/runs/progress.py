"""How far a long work is: a bar on a terminal, elsewhere a line in the log every half minute."""

import logging
import sys
import time
from types import TracebackType

from tqdm import tqdm

log = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 30.0


class Progress:
    """Called with the number done and the number of all; shows rate and time left."""

    def __init__(self, what: str, unit: str) -> None:
        self.what = what
        self.unit = unit
        self._bar = tqdm(desc=what, unit=f" {unit}", disable=None)
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

    def __call__(self, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` are done."""
        if sys.stderr.isatty():
            self._bar.total = total
            self._bar.update(done - self._bar.n)
            return
        now = time.monotonic()
        if now - self._last >= SECONDS_BETWEEN_LINES and done:
            self._last = now
            log.info(self.line(done, total, now - self._start))

    def line(self, done: int, total: int, seconds: float) -> str:
        """The line for a log."""
        rate = done / seconds
        left = (total - done) / rate / 60
        return (
            f"{self.what}: {done:,} of {total:,} {self.unit}, {rate:,.1f} {self.unit}/s, "
            f"{left:,.0f} min left"
        )
