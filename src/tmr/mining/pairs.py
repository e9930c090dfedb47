"""Pairs of items whose latents are near, in blocks, and groups of them."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from tmr.motion.features import POSITIONS
from tmr.motion.skeleton import FPS
from tmr.retrieval import shown_score

_ROWS = 1024  # of the score matrix at a time

Pair = tuple[int, int, float]


def near_pairs(
    latents: Float[Tensor, "n dim"], above: float | int, most: int | None = None
) -> list[Pair]:
    """Pairs (i, j, score) with i < j and a score (1 + cosine) / 2 of at least ``above``.

    Best pairs first, ``most`` of them at most. ``latents`` have length 1; the memory used grows
    with the pairs that are kept, not with n squared.
    """
    found: list[Pair] = []
    for block in _pairs_in_blocks(latents, above):
        found += block
        if most is not None and len(found) > 4 * most:
            found = _best(found, most)
    return _best(found, most)


def _best(pairs: list[Pair], most: int | None) -> list[Pair]:
    return sorted(pairs, key=lambda pair: (-pair[2], pair[0], pair[1]))[:most]


def _pairs_in_blocks(latents: Float[Tensor, "n dim"], above: float | int) -> Iterator[list[Pair]]:
    for start in range(0, len(latents), _ROWS):
        rows = latents[start : start + _ROWS]
        scores = shown_score(rows @ latents[start:].mT)
        i, j = (scores >= above).triu(diagonal=1).nonzero(as_tuple=True)
        kept = scores[i, j].tolist()
        yield list(zip((i + start).tolist(), (j + start).tolist(), kept, strict=True))


def groups_of(pairs: Sequence[tuple[int, int]]) -> list[list[int]]:
    """The items that pairs connect, directly or over others: largest groups first."""
    if not pairs:
        return []
    items, places = np.unique(np.array(pairs), return_inverse=True)
    first, second = places.reshape(-1, 2).T
    graph = coo_array((np.ones(len(pairs)), (first, second)), shape=(len(items), len(items)))
    _, labels = connected_components(graph, directed=False)
    ends = np.cumsum(np.bincount(labels))
    parts = np.split(items[np.argsort(labels, kind="stable")], ends[:-1])
    groups = [part.tolist() for part in parts]
    return sorted(groups, key=lambda group: (-len(group), group))


def motion_distance(
    a: Float[np.ndarray, "_ 263"], b: Float[np.ndarray, "_ 263"], shift_seconds: float = 0.5
) -> float:
    """Mean distance in meters of the joints of two motions, over the frames that they share.

    Joints are seen from the body, so place and heading do not matter; of the shifts in time of up
    to ``shift_seconds`` the best one counts, of which at least half of the longer motion overlaps.
    Infinite where there is none: the lengths differ too much.
    """
    first, second = (x[:, POSITIONS].reshape(len(x), -1, 3) for x in (a, b))
    least = max(len(a), len(b)) / 2
    distances = [
        _mean_distance(first, second, shift)
        for shift in range(-round(shift_seconds * FPS), round(shift_seconds * FPS) + 1)
        if min(len(a), len(b) + shift) - max(0, shift) >= least
    ]
    return min(distances, default=float("inf"))


def _mean_distance(
    a: Float[np.ndarray, "_ 21 3"], b: Float[np.ndarray, "_ 21 3"], shift: int
) -> float:
    begin, end = max(0, shift), min(len(a), len(b) + shift)
    difference = a[begin:end] - b[begin - shift : end - shift]
    return float(np.linalg.norm(difference, axis=-1).mean())


def caption_ranks(
    motions: Float[Tensor, "motions dim"],
    captions: Float[Tensor, "captions dim"],
    own: Sequence[Sequence[int]],
) -> tuple[
    Float[Tensor, " motions"],
    Int[Tensor, " motions"],
    Int[Tensor, " motions"],
    Float[Tensor, " motions"],
]:
    """How well captions fit: score and number of the worst own one, number and score of the best.

    ``own`` are the captions of each motion, at least one; ``captions`` has every caption once.
    All latents have length 1.
    """
    worst, place, best, best_score = [], [], [], []
    for start in range(0, len(motions), _ROWS):
        scores = shown_score(motions[start : start + _ROWS] @ captions.mT)
        for row, numbers in zip(scores, own[start : start + _ROWS], strict=True):
            score, which = row[list(numbers)].min(dim=0)
            worst.append(score)
            place.append(numbers[int(which)])
        top = scores.max(dim=1)
        best.append(top.indices)
        best_score.append(top.values)
    return torch.stack(worst), torch.tensor(place), torch.cat(best), torch.cat(best_score)
