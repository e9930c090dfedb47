"""Overlap and suppression against worked cases and a slow reading of their definitions."""

import numpy as np

from tmr.localization.segments import non_maximum_suppression, overlap


def test_overlap_of_worked_cases():
    a = np.array([[0.0, 4.0], [2.0, 3.0]])
    b = np.array([[0.0, 4.0], [3.0, 5.0], [4.0, 6.0]])
    np.testing.assert_allclose(overlap(a, b), [[1, 1 / 5, 0], [1 / 4, 0, 0]])


def test_suppression_keeps_what_a_sorted_walk_keeps():
    rng = np.random.default_rng(0)
    starts = rng.integers(0, 100, 60)
    spans = np.stack([starts, starts + rng.integers(1, 30, 60)], axis=1)
    scores = rng.random(60)
    kept: list[int] = []
    for i in np.argsort(-scores):
        if all(overlap(spans[[i]], spans[[j]])[0, 0] <= 0.3 for j in kept):
            kept.append(int(i))
    assert non_maximum_suppression(spans, scores, 0.3, 60).tolist() == kept
    assert non_maximum_suppression(spans, scores, 0.3, 4).tolist() == kept[:4]


def test_a_span_that_overlaps_by_just_what_is_allowed_is_kept():
    spans = np.array([[0, 4], [0, 2], [1, 4]])  # half of the first, and three quarters
    scores = np.array([0.9, 0.8, 0.7])
    assert non_maximum_suppression(spans, scores, 0.5, 3).tolist() == [0, 1]
