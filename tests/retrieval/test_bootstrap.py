import numpy as np
import pytest

from tmr.retrieval.bootstrap import estimate, with_intervals

RECALLS = (1, 2, 3, 5, 10)


def queries(galleries: int, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    ranks = np.random.default_rng(seed).geometric(0.2, (galleries, count)).astype(float) - 1
    return np.stack([ranks < k for k in RECALLS], axis=2).astype(float), ranks


@pytest.mark.parametrize("galleries", [1, 5])
@pytest.mark.parametrize("count", [7, 32])
def test_values_are_means_and_medians_of_each_gallery_averaged(galleries, count):
    hits, ranks = queries(galleries, count)
    *recalls, median = (figure.value for figure in estimate(hits, ranks, resamples=10))
    assert recalls == pytest.approx([100 * np.mean(ranks < k) for k in RECALLS])
    assert median == pytest.approx(np.median(ranks, axis=1).mean() + 1)


@pytest.mark.parametrize(("galleries", "count"), [(1, 61), (1, 40), (3, 20)])
def test_intervals_agree_with_drawing_the_queries_one_resample_at_a_time(galleries, count):
    hits, ranks = queries(galleries, count)
    found = estimate(hits, ranks, resamples=4000)
    random = np.random.default_rng(99)
    slow = []
    for _ in range(4000):
        drawn = random.integers(count, size=(galleries, count))
        again = np.take_along_axis(ranks, drawn, axis=1)
        recalls = [100 * np.mean(again < k) for k in RECALLS]
        slow.append([*recalls, np.median(again, axis=1).mean() + 1])
    low, high = np.quantile(slow, [0.025, 0.975], axis=0)
    spread = np.std(slow, axis=0)  # of a figure: the ends of the interval are known to a part of it
    assert np.abs([f.low for f in found] - low) == pytest.approx(0, abs=0.35 * spread.max())
    assert np.abs([f.high for f in found] - high) == pytest.approx(0, abs=0.35 * spread.max())


def test_the_interval_of_a_recall_is_that_of_a_binomial_share():
    """1.96 standard errors of the share p of n queries: sqrt(p (1 - p) / n)."""
    hits, ranks = queries(1, 4384)
    for figure in estimate(hits, ranks)[:4]:
        share = figure.value / 100
        margin = 196 * np.sqrt(share * (1 - share) / 4384)
        assert figure.margin == pytest.approx(margin, rel=0.1)
        assert figure.low < figure.value < figure.high


def test_a_hit_by_every_query_has_no_spread():
    first, *_ = estimate(np.ones((1, 50, 5)), np.zeros((1, 50)))
    assert (first.low, first.value, first.high) == (100, 100, 100)


def test_the_same_seed_gives_the_same_intervals():
    hits, ranks = queries(2, 30)
    assert estimate(hits, ranks) == estimate(hits, ranks)
    assert estimate(hits, ranks) != estimate(hits, ranks, seed=1)


def test_copies_of_queries_in_a_group_do_not_narrow_the_interval():
    values = np.random.default_rng(0).random((50, 1))
    (once,) = with_intervals(values, np.arange(50))
    (copied,) = with_intervals(np.repeat(values, 20, axis=0), np.repeat(np.arange(50), 20))
    assert once.low < once.value < once.high
    assert (copied.low, copied.value, copied.high) == pytest.approx(
        (once.low, once.value, once.high)
    )


def test_the_interval_has_the_width_of_the_normal_approximation():
    values = np.random.default_rng(1).random((400, 1))
    (interval,) = with_intervals(values, np.arange(400))
    expected = 2 * 1.96 * values.std() / 20
    assert interval.high - interval.low == pytest.approx(expected, rel=0.1)
