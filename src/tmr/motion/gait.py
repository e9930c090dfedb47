"""How fast a person walks, to notice frame rates that are not true."""

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d

from tmr.motion.skeleton import FPS, joint

# People walk with up to 2.6 steps a second in the CMU database; Bandai-Namco has shuffles of 3.1.
FASTEST_WALK = 3.2

_TRAVELS = 0.5  # meters a second
_SHORTEST = 1.5  # seconds of travel that tell a rate
# Someone who walks always has a foot on the floor: the slower foot stands while the body travels.
# As a part of the body's speed it does not depend on the frame rate. Runners have 0.13 and more.
_PLANTED = 0.1


def walking_steps(joints: Float[np.ndarray, "frames 22 3"]) -> float | None:
    """Steps a second of someone who walks; None for whoever does something else.

    ``joints`` are meters, Y up, 20 frames a second.
    """
    floor = joints[..., [0, 2]]
    if len(joints) < 2:
        return None
    velocity = gaussian_filter1d(np.gradient(floor[:, 0], axis=0) * FPS, FPS / 4, axis=0)
    speed = np.linalg.norm(velocity, axis=-1)
    travels = speed > _TRAVELS
    seconds = travels.sum() / FPS
    if seconds < _SHORTEST:
        return None
    feet = floor[:, [joint("left_foot"), joint("right_foot")]]
    slower = np.linalg.norm(np.diff(feet, axis=0), axis=-1).min(axis=-1) * FPS
    if np.median(slower[travels[1:]]) > _PLANTED * speed[travels].mean():
        return None
    apart = floor[:, joint("left_ankle")] - floor[:, joint("right_ankle")]
    left_ahead = (apart * velocity).sum(axis=-1) > 0
    passes = (left_ahead[1:] != left_ahead[:-1]) & travels[1:]
    return float(passes.sum() / seconds)
