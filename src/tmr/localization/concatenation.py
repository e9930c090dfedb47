"""Clips of motion one after another, as if one person had done them all."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from tmr.motion import kinematics, rotations
from tmr.motion.skeleton import FPS

BLEND_SECONDS = 0.4


def join(
    clips: Sequence[Float[np.ndarray, "_ 22 3"]], blend_seconds: float = BLEND_SECONDS
) -> tuple[Float[np.ndarray, "frames 22 3"], Int[np.ndarray, "clips 2"]]:
    """The clips as one motion, with the first and end frame of each.

    Clips are meters, Y up, 20 frames a second. Each starts at the place and with the facing with
    which the last one ended. The jump of the posture between them is added to the frames of the
    later clip, and fades over its first ``blend_seconds``: no frame is added or lost, so where a
    clip starts and ends is exact.
    """
    placed = [clips[0]]
    for clip in clips[1:]:
        placed.append(_continued(clip, placed[-1][-1], blend_seconds))
    ends = np.cumsum([len(clip) for clip in clips])
    return np.concatenate(placed), np.stack([np.append(0, ends[:-1]), ends], axis=1)


def _continued(
    clip: Float[np.ndarray, "frames 22 3"], last: Float[np.ndarray, "22 3"], blend_seconds: float
) -> Float[np.ndarray, "frames 22 3"]:
    own, wanted = (kinematics.heading(kinematics.across(frame)) for frame in (clip[0], last))
    turn = rotations.multiply(rotations.inverse(wanted), own)
    floor = np.array([1.0, 0.0, 1.0])
    clip = rotations.rotate_by_yaw(turn, clip - floor * clip[0, 0]) + floor * last[0]
    # From just below 1 at the first frame to 0 behind the blend, with a slope of 0 at both ends.
    phase = np.clip((np.arange(len(clip)) + 1) / (blend_seconds * FPS + 1), 0, 1)
    fade = (1 + np.cos(np.pi * phase)) / 2
    return clip + fade[:, None, None] * (last - clip[0])
