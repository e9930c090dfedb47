"""Figures of worked cases, and intervals that know about groups."""

import numpy as np
import pytest

from tmr.localization.metrics import (
    FIGURES,
    average_precision,
    query_metrics,
    table,
)
from tmr.retrieval.bootstrap import with_intervals


def test_a_perfect_answer_scores_one_everywhere():
    truth = np.array([[10.0, 30.0]])
    np.testing.assert_array_equal(query_metrics(truth, truth), np.ones(len(FIGURES)))


def test_a_worked_query():
    """First an answer with IoU 0.4, then a wrong one, then one with IoU 0.8."""
    found = np.array([[0.0, 4.0], [50.0, 60.0], [0.0, 8.0]])
    figures = dict(zip(FIGURES, query_metrics(found, np.array([[0.0, 10.0]])), strict=True))
    assert [figures[f"R@1 IoU {iou}"] for iou in (0.1, 0.3, 0.5, 0.7)] == [1, 1, 0, 0]
    assert [figures[f"R@5 IoU {iou}"] for iou in (0.1, 0.3, 0.5, 0.7)] == [1, 1, 1, 1]
    assert figures["mean IoU"] == pytest.approx(0.4)
    assert figures["AP IoU 0.3"] == 1
    assert figures["AP IoU 0.7"] == pytest.approx(1 / 3)
    assert figures["mAP"] == pytest.approx((1 + 1 + 1 / 3 + 1 / 3) / 4)


def test_an_iou_that_is_just_reached_counts():
    figures = query_metrics(np.array([[0.0, 5.0]]), np.array([[0.0, 10.0]]))
    found = dict(zip(FIGURES, figures, strict=True))
    for figure in ("R@1", "R@5", "AP"):
        assert [found[f"{figure} IoU {iou}"] for iou in (0.1, 0.3, 0.5, 0.7)] == [1, 1, 1, 0]


def test_each_truth_is_found_once():
    """Two answers on one truth, none on the other: (1/1) / 2; with the other third: + (2/3) / 2."""
    overlaps = np.array([[0.9, 0.0], [0.9, 0.0]])
    assert average_precision(overlaps, 0.5) == pytest.approx(1 / 2)
    overlaps = np.array([[0.9, 0.0], [0.9, 0.0], [0.0, 0.6]])
    assert average_precision(overlaps, 0.5) == pytest.approx(1 / 2 + 1 / 3)


def test_the_table_has_a_line_a_figure():
    rows = with_intervals(np.ones((3, len(FIGURES))), np.arange(3))
    lines = table({"model": rows, "whole": rows}).splitlines()
    assert len(lines) == 1 + len(FIGURES)
    assert lines[1].count("100.00 [100.00, 100.00]") == 2
