"""Pairs, groups, distances and clusters against slow readings and planted structure."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tmr.errors import InputError
from tmr.mining import (
    ClusterReport,
    Mined,
    MotionPair,
    Suspect,
    caption_ranks,
    distinctive_words,
    groups_of,
    k_means,
    markdown,
    motion_distance,
    near_pairs,
)
from tmr.motion.features import POSITIONS


def unit(rows: int, dim: int = 8) -> torch.Tensor:
    return F.normalize(torch.randn(rows, dim, generator=torch.Generator().manual_seed(0)), dim=-1)


def test_near_pairs_are_those_of_a_loop(monkeypatch):
    monkeypatch.setattr("tmr.mining.pairs._ROWS", 7)
    latents = unit(30)
    slow = {
        (i, j): (1 + float(latents[i] @ latents[j])) / 2
        for i in range(30)
        for j in range(i + 1, 30)
    }
    expected = sorted((pair for pair in slow if slow[pair] >= 0.7), key=lambda p: -slow[p])
    found = near_pairs(latents, 0.7)
    assert [(i, j) for i, j, _ in found] == expected
    assert [s for *_, s in found] == pytest.approx([slow[pair] for pair in expected])
    assert near_pairs(latents, 0.7, most=3) == found[:3]
    assert [(i, j) for i, j, _ in near_pairs(latents, 0)] == sorted(slow, key=lambda p: -slow[p])


def test_groups_are_connected_components():
    assert groups_of([(5, 6), (1, 2), (2, 9), (9, 4)]) == [[1, 2, 4, 9], [5, 6]]
    assert groups_of([]) == []


def test_a_shifted_copy_is_near_and_another_motion_is_not():
    rng = np.random.default_rng(0)
    long = np.zeros((80, 263))
    long[:, POSITIONS] = np.cumsum(rng.normal(0, 0.05, (80, 63)), axis=0)
    first, shifted = long[:70], long[6:76]
    assert motion_distance(first, shifted) == pytest.approx(0, abs=1e-12)
    assert motion_distance(first, first[::-1].copy()) > 0.05
    assert motion_distance(first, first[:20]) == np.inf
    moved = first.copy()
    moved[:, POSITIONS.start : POSITIONS.stop : 3] += 0.03  # every joint 3 cm along x
    assert motion_distance(first, moved) == pytest.approx(0.03)


def test_caption_ranks_name_the_worst_own_and_the_best_of_all():
    motions, captions = torch.eye(3), torch.eye(3)
    worst, place, best, score = caption_ranks(motions, captions, [[0, 1], [1], [0]])
    assert worst.tolist() == [0.5, 1.0, 0.5]
    assert place.tolist() == [1, 1, 0]
    assert best.tolist() == [0, 1, 2]
    assert score.tolist() == [1.0, 1.0, 1.0]


def test_planted_clusters_are_found():
    centers = torch.eye(4)
    members = torch.tensor([0] * 9 + [1] * 7 + [2] * 5 + [3] * 3)
    latents = F.normalize(centers[members] + 0.05 * torch.randn(24, 4), dim=-1)
    clusters = k_means(latents, 4, seed=0)
    assert clusters.members.tolist() == members.tolist()  # largest first
    central = clusters.items(0)
    assert sorted(central) == list(range(9))
    assert clusters.cosines[central].tolist() == sorted(clusters.cosines[:9].tolist(), reverse=True)
    with pytest.raises(InputError, match="clusters=30 for 24"):
        k_means(latents, 30)
    twice = latents[[0, 9, 9, 9]]
    assert k_means(twice, 4).members.tolist() == [1, 0, 0, 0]


def test_telling_words_are_frequent_here_and_rare_elsewhere():
    groups = [["a person walks slowly", "someone walks fast"], ["a man jumps", "jumps fast"]]
    first, second = distinctive_words(groups, most=1)
    assert (first, second) == (["walks"], ["jumps"])


def test_the_report_names_what_was_found():
    pair = MotionPair("a", "b", "walks", "runs", 0.99, 0.5)
    page = markdown(
        Mined(
            title="mine", motions=3, duplicates=[["a", "c"]], alike=[pair], unlike=[],
            suspects=[Suspect("b", "runs", 0.4, "walks", 0.9)],
            clusters=[ClusterReport(("walks",), ("a", "b", "c"), ("walks", "runs", "x"), 0.9)],
        ),
        examples=5,
    )  # fmt: skip
    assert "# mine: 3 motions" in page
    assert "- 2 motions: a, c (walks)" in page
    assert "- motions 0.990, captions 0.500\n  - a: walks\n  - b: runs" in page
    assert "- b, 0.400: runs\n  - fits better, 0.900: walks" in page
    assert "captions: 0 pairs\n\nWhat the captions do not say" in page
    assert "| 1 | 3 | 0.900 | walks | a | walks |" in page
