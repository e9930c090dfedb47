"""What bodies do not do: feet that slide, limbs below the floor, trembling.

All take joints in meters, Y up, at 20 frames a second, with the floor at height zero: what
`features_to_joints` gives. Compare with the same figures of real clips, which are not zero.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from tmr.errors import InputError
from tmr.motion.skeleton import FPS, joint

CONTACT_HEIGHT = 0.05  # meters: toes below it stand on the floor
TOES = [joint("left_foot"), joint("right_foot")]
_SHORTEST = 4  # frames: jerk needs them
UNITS = {"foot_sliding": "cm/s", "floor_penetration": "mm", "jitter": "m/s^3"}


def physical_report(joints: Float[np.ndarray, "frames 22 3"]) -> dict[str, float]:
    """Foot sliding (cm/s), floor penetration (mm) and jitter (m/s^3) of a clip.

    Raises:
        InputError: fewer than four frames.
    """
    if len(joints) < _SHORTEST:
        raise InputError(f"found {len(joints)} frames; the report needs at least {_SHORTEST}")
    return {
        "foot_sliding": 100 * foot_sliding(joints),
        "floor_penetration": 1000 * floor_penetration(joints),
        "jitter": jitter(joints),
    }


def foot_sliding(joints: Float[np.ndarray, "frames 22 3"]) -> float:
    """Mean horizontal speed of toes on the floor, meters a second; 0 when none ever is.

    Toes are on the floor in a step when they are below 5 cm before and after it. Source: the
    skating figure of Yuan et al., "PhysDiff" (ICCV 2023), there by the vertices of a mesh.
    """
    toes = joints[:, TOES]
    low = toes[..., 1] < CONTACT_HEIGHT
    standing = low[1:] & low[:-1]
    speed = np.linalg.norm(np.diff(toes[..., [0, 2]], axis=0), axis=-1) * FPS
    return float(speed[standing].mean()) if standing.any() else 0.0


def floor_penetration(joints: Float[np.ndarray, "frames 22 3"]) -> float:
    """Depth of the lowest joint below the floor, meters, mean over frames (PhysDiff)."""
    return float(np.maximum(-joints[..., 1].min(axis=1), 0).mean())


def jitter(joints: Float[np.ndarray, "frames 22 3"]) -> float:
    """Mean length of the third derivative of joint positions, meters a second cubed.

    Source: Yi et al., "TransPose" (SIGGRAPH 2021).
    """
    jerk = np.diff(joints, n=3, axis=0) * FPS**3
    return float(np.linalg.norm(jerk, axis=-1).mean())


def mean_report(reports: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each figure over clips."""
    return {name: float(np.mean([report[name] for report in reports])) for name in UNITS}


def table(columns: Mapping[str, Mapping[str, float]]) -> str:
    """Reports side by side, a figure a line with its unit."""
    width = max(10, *(len(name) + 2 for name in columns))
    lines = [" " * 26 + "".join(f"{name:>{width}}" for name in columns)]
    for figure, unit in UNITS.items():
        label = f"{figure.replace('_', ' ')}, {unit}"
        cells = "".join(f"{report[figure]:>{width}.2f}" for report in columns.values())
        lines.append(f"{label:<26}{cells}")
    return "\n".join(lines)
