"""Motion files of any known kind as clips of our 22 joints."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Float

from tmr.errors import InputError
from tmr.motion.profiles import profile_for
from tmr.motion.readers.bvh import read_bvh
from tmr.motion.resample import resample


def _from_bvh(path: Path, profile: str | None) -> Float[np.ndarray, "frames 22 3"]:
    bvh = read_bvh(path)
    try:
        skeleton = profile_for(bvh.names, profile)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if skeleton.t_pose_first:
        bvh = bvh.without_first_frame()
    if not len(bvh.values):
        raise InputError(f"{path}: holds a T-pose and no motion")
    return resample(skeleton.select(bvh.names, bvh.joint_positions()), bvh.fps)


# The readers by the suffix of a file, in lower case.
READERS: dict[str, Callable[[Path, str | None], Float[np.ndarray, "frames 22 3"]]] = {
    ".bvh": _from_bvh,
}


def read_motion(path: Path | str, profile: str | None = None) -> Float[np.ndarray, "frames 22 3"]:
    """The 22 joints of a motion file: metres, Y up, 20 frames a second.

    ``profile`` names the skeleton of the file (see :mod:`tmr.motion.profiles`); without it the
    names of the joints decide. Raises InputError, with the file, for what cannot be read.
    """
    path = Path(path)
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path}: expected a motion file ({', '.join(READERS)})")
    return reader(path, profile)
