"""Methods whose motions have known errors, side by side."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.bodies import walk_features
from tests.generation.test_evaluator import Projection
from tmr.generation import metrics
from tmr.generation.comparison import compare
from tmr.generation.evaluation import Case
from tmr.generation.positions import NAMES, position_errors

RAISE = 0.1  # meters


@pytest.fixture
def cases(tmp_path: Path) -> list[Case]:
    found = []
    for number in range(70):  # more than are measured at once
        np.save(tmp_path / f"{number}.npy", walk_features(20 + number % 3, seed=number))
        found.append(Case("a" * number + "b", tmp_path / f"{number}.npy", 2, 14))
    return found


def raised(motion: np.ndarray) -> np.ndarray:
    higher = motion.copy()
    higher[:, 3] += RAISE
    return higher


def once_right(_: Sequence[str], real: Sequence[np.ndarray]) -> list[list[np.ndarray]]:
    return [[raised(motion), motion[:-3]] for motion in real]


def test_figures_are_means_over_motions_and_the_best_of_a_text(cases: list[Case]) -> None:
    found = compare({"once right": once_right}, cases)
    assert list(found) == ["real", "once right"]
    errors = found["real"].errors
    assert errors.shape == (len(cases), 1, len(NAMES))
    assert not errors.any()
    assert "best_ape_root" not in found["real"].figures()
    figures = found["once right"].figures()
    truth = cases[0].read()
    expected = dict(zip(NAMES, position_errors(raised(truth), truth), strict=True))
    assert expected["ape_root"] == pytest.approx(RAISE, abs=1e-6)
    assert figures["ape_root"] == pytest.approx(RAISE / 2, abs=1e-6)
    assert figures["best_ape_root"] == 0
    assert "fid" not in figures
    interval = found["once right"].intervals()["ape_root"]
    assert interval["low"] <= interval["value"] == pytest.approx(figures["ape_root"])


def test_latents_are_compared_with_those_of_real_motions(cases: list[Case]) -> None:
    encoder = Projection()
    found = compare({"once right": once_right}, cases, encoder)
    real = [case.read() for case in cases]
    made = torch.stack([encoder.encode_motions(pair) for pair in once_right([], real)])
    texts = encoder.encode_texts([case.text for case in cases])
    expected = metrics.evaluate(texts, made, encoder.encode_motions(real))
    assert found["once right"].of_latents == pytest.approx(expected)
    assert found["once right"].figures()["fid"] > found["real"].figures()["fid"]
