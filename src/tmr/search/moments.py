"""Windows that were found, merged to moments: neighbors in one take are one result."""

from collections.abc import Sequence
from dataclasses import dataclass

from tmr.search.entry import Entry, frame_span

CLOSE = 0.02  # how far below the best window's score a neighbor may be to belong to the moment


@dataclass(frozen=True, slots=True)
class Moment:
    """The seconds [``start``, ``end``) of a take, with its best window and that one's score."""

    score: float
    entry: Entry
    start: float | int
    end: float | int

    @property
    def frame_span(self) -> tuple[int, int]:
        """First and end frame, at the rate of the file."""
        return frame_span(self.entry.take, self.start, self.end)


def merge_windows(found: Sequence[tuple[float, Entry]], top: int) -> list[Moment]:
    """Up to ``top`` moments of windows with their scores, both best first.

    A moment grows from its best window over the windows that touch it and score nearly as well;
    all other windows that overlap it give way.
    """
    by_take: dict[str, list[tuple[float, Entry]]] = {}
    for score, entry in found:
        by_take.setdefault(entry.key, []).append((score, entry))
    moments = [moment for windows in by_take.values() for moment in _moments(windows)]
    return sorted(moments, key=lambda moment: -moment.score)[:top]


def _moments(windows: list[tuple[float, Entry]]) -> list[Moment]:
    moments = []
    while windows:
        score, best = windows[0]
        start, end = best.start, best.end
        close = sorted(
            ((e.start, e.end) for s, e in windows if s >= score - CLOSE),
            key=lambda span: abs(span[0] + span[1] - start - end),
        )
        for first, last in close:
            if first <= end and last >= start:
                start, end = min(start, first), max(end, last)
        moments.append(Moment(score, best, start, end))
        windows = [(s, e) for s, e in windows if e.start >= end or e.end <= start]
    return moments
