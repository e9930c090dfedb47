"""Temporal localization: where in a long motion, or in a library, a sentence happens."""

from tmr.localization import store
from tmr.localization.calibration import Calibration, fit_calibration
from tmr.localization.scoring import Moment, Scoring, best_moments, curve, window_scores
from tmr.localization.segments import Segment
from tmr.localization.windows import WindowLatents, WindowPlan, encode_motions

__all__ = [
    "Calibration",
    "Moment",
    "Scoring",
    "Segment",
    "WindowLatents",
    "WindowPlan",
    "best_moments",
    "curve",
    "encode_motions",
    "fit_calibration",
    "store",
    "window_scores",
]
