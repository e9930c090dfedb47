"""Figures of generated motion against loops, draws, closed forms and what they must not notice."""

import itertools

import numpy as np
import pytest
import torch
from scipy import linalg
from torch import Tensor

from tmr.errors import InputError
from tmr.generation import metrics
from tmr.retrieval.protocols import random_galleries

COUNT, DIM = 96, 16


def noisy(x: Tensor, strength: float, seed: int = 1) -> Tensor:
    return x + strength * torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def texts() -> Tensor:
    return torch.randn(COUNT, DIM, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def motions(texts: Tensor) -> Tensor:
    return noisy(texts, 1.5)


def unit(x: Tensor) -> np.ndarray:
    return (x / x.norm(dim=-1, keepdim=True)).double().numpy()


def precision_in_batches(texts: Tensor, motions: Tensor, batches: list[list[int]]) -> np.ndarray:
    """R@1, 2, 3 by the distances of one motion after another, as the papers' code does it."""
    distances = np.linalg.norm(unit(motions)[:, None] - unit(texts), axis=-1)
    hits = []
    for batch in batches:
        for i in batch:
            nearer = sum(distances[i, j] < distances[i, i] for j in batch)
            hits.append([nearer < k for k in metrics.TOP])
    return np.mean(hits, axis=0)


def test_precision_of_a_single_batch_is_that_of_the_loop(texts: Tensor, motions: Tensor) -> None:
    texts, motions = texts[:32], motions[:32]
    expected = precision_in_batches(texts, motions, [list(range(32))])
    assert metrics.r_precision(texts, motions) == pytest.approx(expected.tolist())


def test_precision_is_the_mean_over_drawn_batches(texts: Tensor, motions: Tensor) -> None:
    random = np.random.default_rng(0)
    drawn = [
        precision_in_batches(texts, motions, [random.choice(COUNT, 32, replace=False).tolist()])
        for _ in range(100)
    ]
    error = np.std(drawn, axis=0) / len(drawn) ** 0.5
    found = np.array(metrics.r_precision(texts, motions))
    assert (np.abs(np.mean(drawn, axis=0) - found) < 4 * error).all()
    guo = precision_in_batches(texts, motions, random_galleries(COUNT, 32))
    assert np.abs(found - guo).max() < 0.06


def test_equal_texts_share_the_first_place(texts: Tensor) -> None:
    """A perfect model with every caption twice: its own comes first in half of the orders."""
    pairs = texts[: COUNT // 2].repeat(2, 1)
    rare = 31 / (COUNT - 1)  # how often the other one is in the batch
    assert metrics.r_precision(pairs, pairs) == pytest.approx([1 - rare / 2, 1, 1])
    assert metrics.r_precision(pairs, noisy(pairs, 1e-7)) == pytest.approx([1 - rare / 2, 1, 1])


def test_a_collapsed_model_is_at_chance() -> None:
    same = torch.ones(50, 4)
    assert metrics.r_precision(same, same) == pytest.approx([1 / 32, 2 / 32, 3 / 32])
    assert metrics.diversity(same[:, None]) == pytest.approx(0, abs=1e-6)
    assert metrics.multimodality(same[:, None].repeat(1, 3, 1)) == 0


def test_frechet_distance_is_that_of_the_formula(texts: Tensor, motions: Tensor) -> None:
    a, b = unit(texts), unit(motions[:70])
    covariances = [np.cov(x, rowvar=False) for x in (a, b)]
    root = np.real(linalg.sqrtm(covariances[0] @ covariances[1]))
    expected = np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(sum(covariances) - 2 * root)
    assert metrics.frechet_distance(texts, motions[:70]) == pytest.approx(expected, rel=1e-6)
    assert metrics.frechet_distance(motions[:70], texts) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("count", [COUNT, 5])
def test_a_set_has_no_distance_to_itself_in_any_order(texts: Tensor, count: int) -> None:
    """With fewer motions than dimensions too, where the covariance is singular."""
    some = texts[:count]
    assert metrics.frechet_distance(some, some) < 1e-12
    assert metrics.frechet_distance(some, some.flip(0)) < 1e-12


def test_diversity_and_multimodality_are_those_of_the_loops(texts: Tensor) -> None:
    generated = torch.stack([noisy(texts[:12], 0.5, seed) for seed in range(3)], dim=1)
    points = unit(generated)
    within = [
        np.linalg.norm(points[i, a] - points[i, b])
        for i in range(12)
        for a, b in itertools.combinations(range(3), 2)
    ]
    between = [
        np.linalg.norm(points[i, a] - points[j, b])
        for i, j in itertools.combinations(range(12), 2)
        for a, b in itertools.product(range(3), repeat=2)
    ]
    assert metrics.multimodality(generated) == pytest.approx(np.mean(within))
    assert metrics.diversity(generated) == pytest.approx(np.mean(between))


def test_distance_and_score_of_a_pair_say_the_same(texts: Tensor, motions: Tensor) -> None:
    """d^2 = 2 - 2 cos = 4 (1 - score) for unit latents."""
    one, other = texts[:1], motions[:1]
    distance, score = metrics.matching_score(one, other), metrics.mean_score(one, other)
    assert distance**2 == pytest.approx(4 * (1 - score))
    cosine = float(torch.cosine_similarity(one, other))
    assert score == pytest.approx((1 + cosine) / 2)


def test_metrics_do_not_change_with_order_length_or_tiny_noise(
    texts: Tensor, motions: Tensor
) -> None:
    before = metrics.evaluate(texts, motions[:, None], texts)
    order = torch.randperm(COUNT, generator=torch.Generator().manual_seed(3))
    shuffled = metrics.evaluate(texts[order], motions[order][:, None], texts[order])
    before_by_length = dict(before)
    longer = metrics.evaluate(7 * texts, 0.1 * motions[:, None], 3 * texts)
    nudged = metrics.evaluate(noisy(texts, 1e-6), motions[:, None], texts)
    del longer["fid_unscaled"], before_by_length["fid_unscaled"]
    assert longer == pytest.approx(before_by_length, abs=1e-6)
    for after, tolerance in ((shuffled, 1e-9), (nudged, 1e-5)):
        assert after == pytest.approx(before, abs=tolerance)


def test_several_generations_are_averaged(texts: Tensor) -> None:
    runs = [noisy(texts, 1.0, seed) for seed in (5, 6)]
    both = metrics.evaluate(texts, torch.stack(runs, dim=1), texts)
    each = [metrics.evaluate(texts, run[:, None], texts) for run in runs]
    assert both.keys() - each[0].keys() == {"multimodality"}
    for name in each[0].keys() - {"diversity"}:
        assert both[name] == pytest.approx((each[0][name] + each[1][name]) / 2)


def test_worse_motions_have_worse_figures(texts: Tensor) -> None:
    rows = [
        metrics.evaluate(texts, noisy(texts, s)[:, None], texts) for s in (0.0, 0.5, 1.0, 2.0, 4.0)
    ]
    for better, worse in itertools.pairwise(rows):
        for name in ("r_precision_1", "text_score", "motion_score"):
            assert worse[name] <= better[name]
        for name in ("matching_score", "fid"):
            assert worse[name] >= better[name]
    assert rows[0]["fid"] < 1e-12
    assert rows[0]["motion_score"] == pytest.approx(1)


def test_what_cannot_be_measured_is_refused(texts: Tensor) -> None:
    with pytest.raises(InputError, match="batches of 32; found 31 texts"):
        metrics.r_precision(texts[:31], texts[:31])
    with pytest.raises(InputError, match="96 texts, 95 generated and 96 reference"):
        metrics.evaluate(texts, texts[:95, None], texts)
    with pytest.raises(InputError, match="at least two in each"):
        metrics.frechet_distance(texts, texts[:1])
    with pytest.raises(InputError, match="two motions for each text"):
        metrics.multimodality(texts[:, None])
    with pytest.raises(InputError, match="motions of different texts"):
        metrics.diversity(texts[:1, None])
