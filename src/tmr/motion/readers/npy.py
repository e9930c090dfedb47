"""NumPy files of unknown origin: joint positions in .npy, and the arrays of an .npz.

Nothing in a file is run, and whatever is wrong with it is one error.
"""

import zipfile
from collections.abc import Collection
from pathlib import Path

import numpy as np
from jaxtyping import Float

from tmr.errors import InputError
from tmr.motion.conventions import Recording
from tmr.motion.joint_layouts import select_joints
from tmr.motion.skeleton import FPS

MAX_ARCHIVED = 1 << 30  # bytes of an array of an .npz: two hours of AMASS at 120 frames a second
POSE_DATA = "pose_data"  # the folder that HumanML3D's notebook writes
_RIGHT_HANDED = "humanact12"  # the only part of it whose x is not negated


def read_joints(path: Path) -> Recording:
    """Read the joints of a .npy file of shape (frames, joints, 3).

    Skeletons are those of :mod:`tmr.motion.joint_layouts`. Files below a folder ``pose_data`` are
    those of HumanML3D's notebook: 20 frames a second, meters, Y up, left-handed.

    Raises:
        InputError: the file is not such an array, or its joints are those of no known skeleton.
    """
    joints = load_npy(path)
    if joints.ndim != 3 or joints.shape[2] != 3:
        raise InputError(
            f"found an array of shape {joints.shape}, expected joint positions (frames, joints, 3)"
        )
    if joints.dtype.kind not in "fiu":
        raise InputError(f"found values of type {joints.dtype}, expected numbers")
    skeleton, positions, warnings = select_joints(joints)
    if POSE_DATA not in path.parts:
        return Recording(positions, skeleton, warnings=warnings)
    handedness = "left" if x_is_negated(path) else "right"
    return Recording(positions, "HumanML3D pose_data", float(FPS), 1.0, "y", handedness)


def x_is_negated(path: Path) -> bool:
    """Whether a file of HumanML3D's pose_data has its x negated: all but those of humanact12."""
    return _RIGHT_HANDED not in path.parts


def load_npy(path: Path) -> np.ndarray:
    """The array of a .npy file.

    Raises:
        InputError: the file cannot be read as one array of numbers or text.
    """
    try:
        with path.open("rb") as file:
            array = np.load(file, allow_pickle=False)
            if not isinstance(array, np.ndarray):
                raise InputError("an archive of arrays, which is called .npz")
            if file.read(1):
                raise InputError("more bytes than its header promises")
            return array
    except Exception as error:  # damaged headers make NumPy raise nearly anything
        raise InputError(f"not a readable .npy file: {_line(error)}") from None


def load_npz(path: Path, keys: Collection[str]) -> dict[str, np.ndarray]:
    """Those arrays of a .npz file that are called ``keys``.

    Raises:
        InputError: the file cannot be read as an archive of arrays.
    """
    try:
        if not zipfile.is_zipfile(path):
            raise InputError("not an archive of arrays")
        with zipfile.ZipFile(path) as archive:
            sizes = {member.filename: member.file_size for member in archive.infolist()}
        for key in keys:
            if sizes.get(f"{key}.npy", 0) > MAX_ARCHIVED:
                raise InputError(f"array {key!r} unpacks to more than {MAX_ARCHIVED >> 20} MB")
        with np.load(path, allow_pickle=False) as content:
            return {key: content[key] for key in keys if key in content.files}
    except Exception as error:  # zipfile and zlib have exceptions of their own
        raise InputError(f"not a readable .npz file: {_line(error)}") from None


def numbers(arrays: dict[str, np.ndarray], key: str) -> Float[np.ndarray, "..."]:
    """The array called ``key`` as float64.

    Raises:
        InputError: it is missing, holds no numbers, or values that are not finite.
    """
    if key not in arrays:
        raise InputError(f"no array {key!r}")
    array = arrays[key]
    if array.dtype.kind not in "fiu" or not array.size:
        raise InputError(f"found no numbers in array {key!r}")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise InputError(f"array {key!r} holds NaN or infinite values")
    return array


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
