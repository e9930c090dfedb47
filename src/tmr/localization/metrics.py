"""How well segments were found: recall, mean IoU and mean average precision, with intervals."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from tmr.localization.segments import overlap
from tmr.retrieval.bootstrap import Interval

IOUS = (0.1, 0.3, 0.5, 0.7)
TOPS = (1, 5)
FIGURES = (
    *(f"R@{top} IoU {iou}" for top in TOPS for iou in IOUS),
    "mean IoU",
    *(f"AP IoU {iou}" for iou in IOUS),
    "mAP",
)


def query_metrics(
    found: Float[np.ndarray, "found 2"], truths: Float[np.ndarray, "truths 2"]
) -> Float[np.ndarray, " figures"]:
    """One query's values of ``FIGURES``, each from 0 to 1.

    ``found`` are segments from the best down, ``truths`` where the sentence really happens. R@k is
    whether one of the first k segments overlaps a truth by at least the IoU; mean IoU is that of
    the first segment with its best truth; mAP is the mean of the four average precisions.
    """
    overlaps = overlap(found, truths)
    best = np.concatenate([overlaps.max(axis=1), np.zeros(max(TOPS))])
    hits = [float(best[:top].max() >= iou) for top in TOPS for iou in IOUS]
    precisions = [average_precision(overlaps, iou) for iou in IOUS]
    return np.array([*hits, best[0], *precisions, np.mean(precisions)])


def average_precision(overlaps: Float[np.ndarray, "found truths"], iou: float) -> float:
    """Mean over the truths of the precision at the rank where each is found, 0 if it is not.

    From the best segment down, each takes the truth it overlaps most, if none took it before.
    """
    free = overlaps.copy()
    right, total = 0, 0.0
    for rank, row in enumerate(free, start=1):
        truth = int(row.argmax())
        if row[truth] >= iou:
            right += 1
            total += right / rank
            free[:, truth] = -1
    return total / overlaps.shape[1]


def table(rows: Mapping[str, Sequence[Interval]]) -> str:
    """Every figure of every row, in percent with its interval, a figure a line."""
    width = 24
    lines = [f"{'':<14}" + "".join(f"{name:>{width}}" for name in rows)]
    for i, figure in enumerate(FIGURES):
        cells = "".join(f"{row[i].percent():>{width}}" for row in rows.values())
        lines.append(f"{figure:<14}{cells}")
    return "\n".join(lines)
