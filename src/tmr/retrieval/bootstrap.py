"""Figures of a set of queries with their bootstrap intervals."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float, Int

RESAMPLES = 1000
SEED = 0
LEVEL = 0.95
QUANTILES = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
DRAWS_AT_ONCE = 2**21  # bounds the memory, whatever the number of queries


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and the percentile bootstrap interval around it."""

    value: float
    low: float
    high: float

    @property
    def margin(self) -> float:
        """Half the width of the interval."""
        return (self.high - self.low) / 2

    def percent(self) -> str:
        """A share in percent with its interval: ``25.00 [20.50, 30.00]``."""
        return f"{100 * self.value:.2f} [{100 * self.low:.2f}, {100 * self.high:.2f}]"


def estimate(
    hits: Float[np.ndarray, "galleries queries recalls"],
    ranks: Float[np.ndarray, "galleries queries"],
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> list[Interval]:
    """Each recall in percent and then the median rank, with 95% intervals over queries.

    A figure is computed in each gallery and averaged over the galleries. ``ranks`` are zero-based,
    the median that comes back counts from one. The queries of each gallery are drawn again with
    replacement ``resamples`` times, and the interval lies between the 2.5th and the 97.5th
    percentile of the figures (Efron, 1979). The galleries themselves stay as they are: what else
    could have been in them is not part of the interval. The same seed gives the same intervals.
    """
    galleries, queries, _ = hits.shape
    order = ranks.argsort(axis=1)
    figures = partial(
        _figures,
        hits=np.take_along_axis(hits, order[..., None], axis=1).reshape(galleries * queries, -1),
        ranks=np.take_along_axis(ranks, order, axis=1),
    )
    random = np.random.default_rng(seed)
    chunk = max(1, DRAWS_AT_ONCE // ranks.size)
    drawn = np.concatenate(
        [
            figures(_counts(random, min(chunk, resamples - start), galleries, queries))
            for start in range(0, resamples, chunk)
        ]
    )
    (values,) = figures(np.ones((1, galleries, queries), dtype=np.int32))
    low, high = np.quantile(drawn, QUANTILES, axis=0)
    return [Interval(*map(float, bounds)) for bounds in zip(values, low, high, strict=True)]


def with_intervals(
    values: Float[np.ndarray, "queries figures"],
    groups: Int[np.ndarray, " queries"],
    seed: int = SEED,
    resamples: int = RESAMPLES,
) -> list[Interval]:
    """The mean of each column with its 95% interval.

    Queries of one sequence are not independent, so whole ``groups`` are drawn again, not queries.
    """
    numbers, members = np.unique(groups, return_inverse=True)
    sums = np.zeros((len(numbers), values.shape[1]))
    np.add.at(sums, members, values)
    counts = np.bincount(members)
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(numbers), size=(resamples, len(numbers)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1, keepdims=True)
    low, high = np.quantile(means, QUANTILES, axis=0)
    return [Interval(*map(float, row)) for row in zip(values.mean(axis=0), low, high, strict=True)]


def _counts(
    random: np.random.Generator, resamples: int, galleries: int, queries: int
) -> Int[np.ndarray, "resamples galleries queries"]:
    """How often each query was drawn when each gallery draws as many as it has."""
    groups = np.arange(resamples * galleries)[:, None] * queries
    drawn = random.integers(queries, size=(len(groups), queries), dtype=np.int32) + groups
    counts = np.bincount(drawn.ravel(), minlength=drawn.size).astype(np.int32)
    return counts.reshape(resamples, galleries, queries)


def _figures(
    counts: Int[np.ndarray, "resamples galleries queries"],
    hits: Float[np.ndarray, "all_queries recalls"],
    ranks: Float[np.ndarray, "galleries queries"],
) -> Float[np.ndarray, "resamples figures"]:
    """Recalls and median rank of queries repeated ``counts`` times; queries are sorted by rank."""
    queries = ranks.shape[1]
    recalls = 100 * counts.reshape(len(counts), -1) @ hits / len(hits)
    up_to = counts.cumsum(axis=2)
    lower, upper = (
        np.take_along_axis(ranks[None], (up_to <= middle).sum(axis=2)[..., None], axis=2)
        for middle in ((queries - 1) // 2, queries // 2)
    )
    median = ((lower + upper) / 2).mean(axis=1) + 1
    return np.concatenate([recalls, median], axis=1)
