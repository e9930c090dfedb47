"""From the fit of a segment to the probability that the sentence happens there."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import minimize
from scipy.special import expit


@dataclass(frozen=True, slots=True)
class Calibration:
    """Platt scaling: confidence = 1 / (1 + exp(-(slope * fit + offset))) (Platt, 1999)."""

    slope: float
    offset: float

    def __call__(self, fit: float) -> float:
        """The confidence of a segment with this fit."""
        return float(expit(self.slope * fit + self.offset))


def fit_calibration(fits: Float[np.ndarray, " n"], right: Bool[np.ndarray, " n"]) -> Calibration:
    """The calibration of greatest likelihood, given segments known to be right or wrong.

    Platt's targets, (r + 1) / (r + 2) for the r right ones and 1 / (w + 2) for the w wrong ones,
    keep it finite when the two do not overlap.
    """
    r, w = int(right.sum()), int((~right).sum())
    target = np.where(right, (r + 1) / (r + 2), 1 / (w + 2))
    centre, scale = fits.mean(), fits.std() + 1e-9
    x = (fits - centre) / scale

    def loss(parameters: np.ndarray) -> float:
        z = parameters[0] * x + parameters[1]
        return float((np.logaddexp(0, z) - target * z).sum())

    slope, offset = minimize(loss, np.zeros(2)).x
    return Calibration(float(slope / scale), float(offset - slope * centre / scale))


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
