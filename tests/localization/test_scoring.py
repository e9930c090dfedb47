"""Scores against scipy's log-normal, moments that were planted, and calibration."""

import numpy as np
import pytest
import torch
from scipy.special import expit
from scipy.stats import norm

from tmr.errors import InputError
from tmr.localization import (
    Calibration,
    Scoring,
    WindowLatents,
    best_moments,
    curve,
    fit_calibration,
    window_scores,
)
from tmr.localization.calibration import calibration_error

SCORING = Scoring(temperature=0.1, typical_seconds=4.0, spread=0.5, max_overlap=0.2)


def windows() -> WindowLatents:
    """Two motions of 200 and 100 frames; what is looked for is at 60 to 140 of the first."""
    spans = np.array([[0, 80], [60, 140], [70, 150], [120, 200], [200, 280], [220, 300]])
    latents = torch.eye(6, 8)
    latents[:, 7] = torch.tensor([0.1, 1.0, 0.8, 0.0, 0.5, 0.0]) * 3
    return WindowLatents(("first", "second"), np.array([0, 200, 300]), spans, latents)


def test_the_bonus_is_the_log_prior_on_the_scale_of_scores():
    lengths = np.array([20, 80, 200])
    log_prior = norm.logpdf(np.log(lengths / 20), np.log(4.0), 0.5)
    expected = 0.1 / 2 * (log_prior - log_prior[1])
    np.testing.assert_allclose(SCORING.bonus(lengths), expected, atol=1e-12)


@pytest.mark.parametrize(
    "wrong", [{"spread": 0.0}, {"typical_seconds": -1.0}, {"max_overlap": 2.0}]
)
def test_scoring_without_meaning_is_refused(wrong):
    options = {"temperature": 0.1, "typical_seconds": 4.0, "spread": 0.5, "max_overlap": 0.2}
    with pytest.raises(InputError, match="expected two positive numbers"):
        Scoring(**options | wrong)


def test_moments_come_best_first_in_seconds_of_their_own_motion():
    sentence = torch.eye(8)[7]
    scores = window_scores(sentence, windows())
    moments = best_moments(windows(), scores, SCORING, top=3)
    found = [(m.name, m.segment.start, m.segment.end) for m in moments]
    assert found == [("first", 3.0, 7.0), ("second", 0.0, 4.0), ("first", 0.0, 4.0)]
    assert moments[0].segment.score == pytest.approx((1 + 3 / np.sqrt(10)) / 2)
    assert moments[0].segment.confidence is None
    sure = best_moments(windows(), scores, SCORING, 1, Calibration(2.0, -1.0))[0].segment
    odds = np.exp(-1.0) * (sure.fit / (1 - sure.fit)) ** 2
    assert sure.confidence == pytest.approx(odds / (1 + odds))


def test_the_curve_is_highest_in_the_middle_of_the_best_window():
    first = windows().of(0)
    fits = curve(first, window_scores(torch.eye(8)[7], first), SCORING)
    assert len(fits) == 200
    assert fits.argmax() in (99, 100)


def test_calibration_recovers_a_known_relation():
    rng = np.random.default_rng(0)
    fits = rng.uniform(0.05, 0.95, 8000)
    right = rng.random(8000) < expit(1.5 * np.log(fits / (1 - fits)) - 0.5)
    fitted = fit_calibration(fits, right)
    assert fitted.slope == pytest.approx(1.5, rel=0.1)
    assert fitted.offset == pytest.approx(-0.5, rel=0.2)
    assert calibration_error(fitted(fits), right) < 0.03
    assert calibration_error(np.ones(8000), right) == pytest.approx(1 - right.mean())


def test_calibration_of_separable_segments_stays_finite():
    fits = np.array([0.1, 0.2, 0.8, 0.9])
    fitted = fit_calibration(fits, fits > 0.5)
    assert np.isfinite([fitted.slope, fitted.offset]).all()
    assert ((fitted(fits) > 0.5) == (fits > 0.5)).all()
