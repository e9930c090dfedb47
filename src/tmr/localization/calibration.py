"""From the fit of a segment to the probability that the sentence happens there."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import minimize
from scipy.special import expit, logit

_RANGE = (0.01, 0.999)  # fits beyond count as these: log odds have no bounds


@dataclass(frozen=True, slots=True)
class Calibration:
    """Platt scaling of log odds: confidence = odds / (1 + odds), where

        log odds = slope * log(fit / (1 - fit)) + offset.

    Fits of right segments crowd below 1, and log odds spread them (Platt, 1999, scales raw fits).
    """

    slope: float
    offset: float

    def __call__(self, fits: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """The confidences of segments with these fits."""
        return expit(self.slope * _log_odds(fits) + self.offset)


def _log_odds(fits: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    return logit(np.clip(fits, *_RANGE))


def fit_calibration(fits: Float[np.ndarray, " n"], right: Bool[np.ndarray, " n"]) -> Calibration:
    """The calibration of greatest likelihood, given segments known to be right or wrong.

    Platt's targets, (r + 1) / (r + 2) for the r right ones and 1 / (w + 2) for the w wrong ones,
    keep it finite when the two do not overlap.
    """
    r, w = int(right.sum()), int((~right).sum())
    target = np.where(right, (r + 1) / (r + 2), 1 / (w + 2))
    x = _log_odds(fits)

    def loss(parameters: Float[np.ndarray, "2"]) -> float:
        z = parameters[0] * x + parameters[1]
        return float((np.logaddexp(0, z) - target * z).mean())

    slope, offset = minimize(loss, np.zeros(2)).x
    return Calibration(float(slope), float(offset))


def calibration_error(
    confidences: Float[np.ndarray, " n"], right: Bool[np.ndarray, " n"], bins: int = 10
) -> float:
    """Expected calibration error: the mean distance of confidence and share of right ones, over
    ``bins`` equal parts of [0, 1] (Guo et al., ICML 2017)."""
    part = np.minimum((confidences * bins).astype(int), bins - 1)
    total = 0.0
    for number in np.unique(part):
        inside = part == number
        total += inside.mean() * abs(confidences[inside].mean() - right[inside].mean())
    return total
