"""Motions of any frame rate at the 20 frames a second used everywhere here."""

import math

import numpy as np
from jaxtyping import Float

from tmr.motion.skeleton import FPS


def resample(
    joints: Float[np.ndarray, "frames joints 3"], fps: float | int
) -> Float[np.ndarray, "resampled joints 3"]:
    """Joint positions at 20 frames a second: frame i is linearly interpolated at i/20 seconds.

    As many frames as fit between the first and the last given frame.
    """
    last = len(joints) - 1
    # Without the margin, rounding could lose a last frame that falls on the last given one.
    count = math.floor(last / fps * FPS + 1e-6) + 1
    position = np.minimum(np.arange(count) * (fps / FPS), last)
    before = position.astype(int)
    after = np.minimum(before + 1, last)
    weight = (position - before)[:, None, None]
    return (1 - weight) * joints[before] + weight * joints[after]
