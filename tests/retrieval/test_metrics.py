import doctest
import itertools
import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tmr.retrieval import metrics
from tmr.retrieval.metrics import (
    average_precision,
    both_directions,
    cosine_similarity,
    hit_probability,
    place,
    shown_score,
)


@pytest.mark.parametrize("name", ["distinct", "duplicated"])
@pytest.mark.parametrize("protocol", ["normal", "threshold_0.95"])
def test_figures_agree_with_the_original_to_nine_digits(shared, name, protocol):
    arrays = np.load(shared / "golden" / f"metrics_{name}.npz")
    expected = json.loads((shared / "golden" / "metrics.json").read_text())[name][protocol]
    scores, sentences = (torch.from_numpy(arrays[key]) for key in ("sim", "sent_emb"))
    matches = None
    if protocol == "threshold_0.95":
        alike = shown_score(sentences @ sentences.mT) > 0.95
        matches = alike | torch.eye(len(scores), dtype=torch.bool)
    figures = both_directions(scores, matches)
    assert figures.keys() == expected.keys()
    assert figures == pytest.approx(expected, abs=1e-9, rel=0)


def test_ranks_agree_with_sorting_one_row_at_a_time():
    scores = torch.rand(20, 20, generator=torch.Generator().manual_seed(0))
    slow = [sorted(range(20), key=lambda j: -scores[i, j]).index(i) for i in range(20)]
    assert place(scores).ranks.tolist() == slow


def test_a_collapsed_model_scores_at_chance():
    figures = both_directions(torch.ones(20, 20), tie_safe=True)
    assert figures["t2m/R01"] == pytest.approx(5)
    assert figures["m2t/R10"] == pytest.approx(50)
    assert figures["t2m/MedR"] == 10.5


@given(
    better=st.integers(0, 4),
    tied=st.integers(1, 6),
    right=st.integers(1, 6),
    k=st.integers(1, 6),
)
def test_hit_probability_is_the_share_of_orders_with_a_hit(better, tied, right, k):
    right = min(right, tied)
    orders = list(itertools.permutations([True] * right + [False] * (tied - right)))
    hits = [any(order[: max(k - better, 0)]) for order in orders]
    # The item itself is column 0; the row is: right, other ties, better ones, one that is worse.
    row = torch.tensor([1.0] * tied + [2.0] * better + [0.0])
    matches = torch.zeros(len(row), dtype=torch.bool)
    matches[:right] = True
    placement = place(row[None], matches[None])
    assert float(hit_probability(placement, k)) == pytest.approx(sum(hits) / len(hits))


@pytest.fixture
def captions_shared_by_pairs() -> torch.Tensor:
    """Scores of a perfect model on twelve motions whose captions are shared by pairs."""
    latents = torch.eye(12, dtype=torch.float64)
    texts = latents[::2] + latents[1::2]
    texts = texts.repeat_interleave(2, dim=0)
    return cosine_similarity(texts, latents)


def test_original_rule_gives_a_perfect_model_100_from_motion_to_text(captions_shared_by_pairs):
    nudged = captions_shared_by_pairs.clone()
    nudged[::2, 1::2] += torch.eye(6) * 1e-3  # each first caption prefers its second motion
    nudged[1::2, 1::2] += torch.eye(6) * 1e-3  # as does each second caption: 50 from text
    figures = both_directions(nudged)
    assert (figures["t2m/R01"], figures["m2t/R01"]) == (50, 100)


def test_noise_takes_that_100_to_50_by_the_original_rule(captions_shared_by_pairs):
    noise = 1e-7 * torch.rand(12, 12, generator=torch.Generator().manual_seed(1))
    share = both_directions(captions_shared_by_pairs + noise)["m2t/R01"]
    assert share < 80  # about half of the motions find their own copy of the caption first


def test_tie_safe_figures_of_shared_captions_are_50_and_unmoved_by_noise(captions_shared_by_pairs):
    noise = torch.rand(12, 12, generator=torch.Generator().manual_seed(1)) - 0.5
    exact = both_directions(captions_shared_by_pairs, tie_safe=True)
    noisy = both_directions(captions_shared_by_pairs + 2e-6 * noise, tie_safe=True)
    assert (exact["t2m/R01"], exact["m2t/R01"]) == (50, 50)
    assert noisy == exact


def test_cosine_ignores_length_and_scores_lie_between_0_and_1():
    vectors = torch.randn(5, 8, generator=torch.Generator().manual_seed(2))
    cosine = cosine_similarity(vectors, -3 * vectors)
    assert shown_score(cosine).diagonal() == pytest.approx(0, abs=1e-6)
    assert torch.allclose(cosine, -cosine_similarity(vectors, vectors), atol=1e-6)


def test_average_precision_is_that_of_a_walk_down_the_list() -> None:
    torch.manual_seed(0)
    scores, matches = torch.randn(6, 9), torch.rand(6, 9) < 0.4
    matches[:, 0] = True
    for found, row, right in zip(average_precision(scores, matches), scores, matches, strict=True):
        order = row.argsort(descending=True).tolist()
        hits = [place for place, item in enumerate(order, 1) if right[item]]
        expected = sum(n / place for n, place in enumerate(hits, 1)) / len(hits)
        assert float(found) == pytest.approx(expected)


def test_average_precision_does_not_depend_on_noise_among_ties() -> None:
    scores = torch.tensor([[0.9, 0.5, 0.5, 0.5, 0.1]])
    matches = torch.tensor([[False, True, False, True, False]])
    (found,) = average_precision(scores, matches).tolist()
    assert found == pytest.approx(2 / 4)
    noise = torch.tensor([[0, 1e-6, -1e-6, 2e-6, 0]])
    assert average_precision(scores + noise, matches).tolist() == [found]


def test_the_examples_of_the_documentation_are_right():
    assert doctest.testmod(metrics)._asdict().items() >= {"failed": 0, "attempted": 2}.items()
