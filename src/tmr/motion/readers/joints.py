"""Joint positions in .npy files: of SMPL (22 or 24 joints) or SMPL-H (52)."""

from pathlib import Path

import numpy as np

from tmr.errors import InputError
from tmr.motion.conventions import Recording
from tmr.motion.readers.arrays import load_npy
from tmr.motion.skeleton import FPS, NUM_JOINTS

POSE_DATA = "pose_data"  # the folder that HumanML3D's notebook writes
_RIGHT_HANDED = "humanact12"  # the only part of it whose x is not negated
_COUNTS = (NUM_JOINTS, 24, 52)  # the first 22 are the same


def read_joints(path: Path) -> Recording:
    """The joints of a .npy file of shape (frames, 22 or 24 or 52, 3).

    Files below a folder ``pose_data`` are those of HumanML3D's notebook: 20 frames a second,
    meters, Y up, left-handed. Raises InputError for a file that is not such an array.
    """
    joints = load_npy(path)
    if joints.ndim != 3 or joints.shape[1] not in _COUNTS or joints.shape[2] != 3:
        raise InputError(
            f"found an array of shape {joints.shape}, expected joint positions (frames, joints, 3) "
            f"with {', '.join(map(str, _COUNTS))} joints"
        )
    if joints.dtype.kind not in "fiu":
        raise InputError(f"found values of type {joints.dtype}, expected numbers")
    positions = joints[:, :NUM_JOINTS].astype(np.float64)
    if POSE_DATA not in path.parts:
        return Recording(positions, f"SMPL with {joints.shape[1]} joints")
    handedness = "left" if x_is_negated(path) else "right"
    return Recording(positions, "HumanML3D pose_data", float(FPS), 1.0, "y", handedness)


def x_is_negated(path: Path) -> bool:
    """Whether a file of HumanML3D's pose_data has its x negated: all but those of humanact12."""
    return _RIGHT_HANDED not in path.parts
