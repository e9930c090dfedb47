"""Parts of a motion: how much two of them overlap, and the best ones that do not."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Num


@dataclass(frozen=True, slots=True)
class Segment:
    """The seconds [start, end) of a motion that a sentence was found in.

    ``score`` is (1 + cosine) / 2, as everywhere. ``fit`` takes the length into account and ranks
    segments (:mod:`tmr.localization.scoring`). ``confidence`` is the probability that the sentence
    happens there, None where the run has no calibration (:mod:`tmr.localization.calibration`).
    """

    start: float
    end: float
    score: float
    fit: float
    confidence: float | None


def overlap(a: Num[np.ndarray, "a 2"], b: Num[np.ndarray, "b 2"]) -> Float[np.ndarray, "a b"]:
    """Intersection over union of every span [start, end) of ``a`` with every one of ``b``."""
    start = np.maximum(a[:, None, 0], b[None, :, 0])
    end = np.minimum(a[:, None, 1], b[None, :, 1])
    shared = np.clip(end - start, 0, None)
    lengths = (a[:, 1] - a[:, 0])[:, None] + (b[:, 1] - b[:, 0])[None]
    return shared / (lengths - shared)


def non_maximum_suppression(
    spans: Num[np.ndarray, "n 2"], scores: Float[np.ndarray, " n"], iou: float, top: int
) -> Int[np.ndarray, " kept"]:
    """Up to ``top`` spans from the best down, none with more than ``iou`` of a better one."""
    left = scores.astype(np.float64)
    kept: list[int] = []
    while len(kept) < top and np.isfinite(left).any():
        best = int(left.argmax())
        kept.append(best)
        left[overlap(spans, spans[best : best + 1])[:, 0] > iou] = -np.inf
        left[best] = -np.inf
    return np.array(kept, dtype=np.int64)
