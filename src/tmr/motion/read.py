"""Motion files of any known kind as clips of our 22 joints."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import Float

from tmr.errors import InputError
from tmr.motion.conventions import Clip, Conventions, NoMotion, Recording, settle
from tmr.motion.readers.bvh import read_bvh
from tmr.motion.readers.joints import read_joints
from tmr.motion.skeleton_maps import profile_for, profile_named

_NOTHING_SAID = Conventions()


def read_motion(
    path: Path | str, said: Conventions = _NOTHING_SAID
) -> Float[np.ndarray, "frames 22 3"]:
    """The 22 joints of a motion file: meters, Y up, right-handed, 20 frames a second.

    A BVH file, the .npz of AMASS, or joint positions in .npy. ``said`` holds what the file does
    not say about itself. Raises InputError, with the file, for what cannot be read.
    """
    return read_clip(path, said).joints


def read_clip(path: Path | str, said: Conventions = _NOTHING_SAID) -> Clip:
    """As :func:`read_motion`, with how the file was read and what is odd about it."""
    with _naming(path):
        return settle(record(path, said), said)


def record(path: Path | str, said: Conventions = _NOTHING_SAID) -> Recording:
    """The 22 joints of a motion file in its own units and axes. Raises InputError as above."""
    path = Path(path)
    reader = READERS.get(path.suffix.lower())
    with _naming(path):
        if reader is None:
            raise InputError(f"expected a motion file ({', '.join(READERS)})")
        return reader(path, said)


def check_readable(files: Iterable[Path], said: Conventions) -> None:
    """Raise InputError for what would be missing for all files of a kind."""
    suffixes = {file.suffix.lower() for file in files}
    if said.profile is not None:
        profile_named(said.profile)
    if ".npz" in suffixes:
        from tmr.motion.readers.amass import check_ready  # noqa: PLC0415  takes seconds

        check_ready(said.body_models)


def _from_bvh(path: Path, said: Conventions) -> Recording:
    bvh = read_bvh(path)
    name, profile = profile_for(bvh.names, said.profile)
    if profile.t_pose_first:
        bvh = bvh.without_first_frame()
    if not len(bvh.values):
        raise NoMotion("holds a T-pose and no motion")
    positions = profile.select(bvh.names, bvh.joint_positions())
    return Recording(positions, name, bvh.fps, profile.unit, profile.up)


def _from_npz(path: Path, said: Conventions) -> Recording:
    from tmr.motion.readers.amass import read_amass  # noqa: PLC0415  takes seconds

    return read_amass(path, said.body_models)


def _from_npy(path: Path, said: Conventions) -> Recording:
    return read_joints(path)


# The readers by the suffix of a file, in lower case.
READERS: dict[str, Callable[[Path, Conventions], Recording]] = {
    ".bvh": _from_bvh,
    ".npz": _from_npz,
    ".npy": _from_npy,
}


@contextmanager
def _naming(path: Path | str) -> Iterator[None]:
    """Errors within name the file."""
    try:
        yield
    except InputError as error:
        if str(path) in str(error):
            raise
        raise type(error)(f"{path}: {error}") from None
