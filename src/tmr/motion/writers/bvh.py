"""BVH files: centimeters or meters, 22 joints with our names, rest in T-pose."""

from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float

from tmr.io import write_text
from tmr.motion.rig import CHILDREN, T_POSE, Rig, rig_of
from tmr.motion.skeleton import FPS, JOINTS

UNITS_PER_METER = {"cm": 100, "m": 1}
END_SITE = 0.08  # meters from a joint without children to its End Site
_POSITION = "Xposition Yposition Zposition"
_ROTATION = "Zrotation Xrotation Yrotation"


def write_bvh(
    path: Path | str, joints: Float[np.ndarray, "frames 22 3"], unit: Literal["cm", "m"] = "cm"
) -> None:
    """Write a clip (meters, Y up, 20 frames a second) as a BVH file, atomically.

    Maya and Unreal take a unit of the file for a centimeter, Blender for a meter.

    Read again, every joint is within 0.2 mm of where it was. A joint at the end of a bone whose
    length changes has position channels beside its rotations; on a skeleton of constant bone
    lengths only the pelvis has. Raises InputError for what :func:`rig_of` refuses.
    """
    rig, scale = rig_of(joints), UNITS_PER_METER[unit]
    order: list[int] = []
    lines = ["HIERARCHY", *_joint_lines(rig, scale, 0, order, depth=0)]
    columns = np.concatenate([_channels(rig, scale, joint) for joint in order], axis=1)
    lines += ["MOTION", f"Frames: {len(columns)}", f"Frame Time: {1 / FPS:.6f}"]
    lines += [" ".join(f"{value:.6f}" for value in row) for row in columns.tolist()]
    write_text(path, "\n".join(lines) + "\n")


def _joint_lines(rig: Rig, scale: int, joint: int, order: list[int], depth: int) -> list[str]:
    """The lines of a joint and all below it; ``order`` takes in the joints as they are listed."""
    order.append(joint)
    kinds = [_POSITION, _ROTATION] if rig.moving[joint] else [_ROTATION]
    inside = [
        f"OFFSET {_numbers(scale * rig.offsets[joint])}",
        f"CHANNELS {3 * len(kinds)} {' '.join(kinds)}",
    ]
    for child in CHILDREN[joint]:
        inside += _joint_lines(rig, scale, child, order, depth + 1)
    if not CHILDREN[joint]:
        inside += ["End Site", "{", f"  OFFSET {_numbers(scale * END_SITE * T_POSE[joint])}", "}"]
    head = f"JOINT {JOINTS[joint]}" if depth else f"ROOT {JOINTS[joint]}"
    return [head, "{", *(f"  {line}" for line in inside), "}"]


def _numbers(values: Float[np.ndarray, "3"]) -> str:
    return " ".join(f"{value:.6f}" for value in values)


def _channels(rig: Rig, scale: int, joint: int) -> Float[np.ndarray, "frames channels"]:
    angles = _zxy_angles(rig.turns[:, joint])
    if not rig.moving[joint]:
        return angles
    return np.concatenate([scale * rig.places[:, joint], angles], axis=1)


def _zxy_angles(turns: Float[np.ndarray, "frames 4"]) -> Float[np.ndarray, "frames 3"]:
    """Degrees about Z, X and Y whose rotations, multiplied in this order, give ``turns``.

    Angles run on past 180 degrees, so that curves drawn through the frames do not jump. Where X
    is a quarter turn, only the sum or difference of the others is determined: Y is then zero.
    """
    w, x, y, z = turns.T
    sine = np.clip(2 * (y * z + w * x), -1, 1)
    about_z = np.arctan2(2 * (w * z - x * y), 1 - 2 * (x * x + z * z))
    about_y = np.arctan2(2 * (w * y - x * z), 1 - 2 * (x * x + y * y))
    locked = 1 - np.abs(sine) < 1e-9
    about_z = np.where(locked, np.arctan2(2 * (x * y + w * z), 1 - 2 * (y * y + z * z)), about_z)
    about_y = np.where(locked, 0.0, about_y)
    angles = np.stack([about_z, np.arcsin(sine), about_y], axis=-1)
    return np.rad2deg(np.unwrap(angles, axis=0))
