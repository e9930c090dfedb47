"""Motion files of strangers: measured before they are read, as a small file could fill memory."""

import re
import zipfile
from pathlib import Path
from typing import IO

import numpy as np
from jaxtyping import Float32

from tmr.errors import InputError
from tmr.motion.read import read_features
from tmr.motion.skeleton import FPS

MAX_MINUTES = 15
MAX_JOINTS = 1000
MAX_DEPTH = 200  # joints below each other
MAX_POSITIONS = 3_000_000  # joints times frames: 15 minutes of 55 joints at 60 frames a second
MAX_ARRAY_BYTES = 256 * 1024**2
MAX_HIERARCHY_BYTES = 2 * 1024**2

_MOTION = re.compile(
    rb"^[ \t]*MOTION\s+Frames:\s*(\d{1,12})\s+Frame Time:\s*([-+.\deE]{1,24})", re.M
)
_JOINT = re.compile(rb"^\s*(?:ROOT|JOINT)\b", re.M)


def read_measured(path: Path) -> Float32[np.ndarray, "frames 263"]:
    """Features of the motion in a file, as :func:`read_features`, unless it holds too much.

    Raises:
        InputError: a file that cannot be read, or holds more than is read of strangers.
    """
    measure(path)
    features = read_features(path)
    _check_minutes(len(features) / FPS)
    return features


def measure(path: Path) -> None:
    """Check the size of a motion by what its file states, without reading the motion.

    Raises:
        InputError: more joints, frames, minutes or bytes than are read of strangers.
    """
    suffix = path.suffix.lower()
    try:
        if suffix == ".bvh":
            _measure_bvh(path)
        elif suffix == ".npy":
            with path.open("rb") as file:
                _measure_array(file)
        elif suffix == ".npz":
            _measure_archive(path)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}") from None


def _measure_bvh(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(MAX_HIERARCHY_BYTES)
    found = _MOTION.search(head)
    if found is None:
        if len(head) == MAX_HIERARCHY_BYTES:
            raise InputError("its skeleton is longer than a motion's can be")
        return  # the reader says what is wrong with it
    hierarchy = head[: found.start()]
    joints = len(_JOINT.findall(hierarchy))
    depth = deepest = 0
    for brace in re.findall(rb"[{}]", hierarchy):
        depth += 1 if brace == b"{" else -1
        deepest = max(deepest, depth)
    if joints > MAX_JOINTS or deepest > MAX_DEPTH:
        raise InputError(
            f"found {joints:,} joints, {deepest:,} below each other; "
            f"at most {MAX_JOINTS:,} and {MAX_DEPTH} can be read here"
        )
    frames = int(found[1])
    if frames * joints > MAX_POSITIONS:
        raise InputError(
            f"found {frames:,} frames of {joints:,} joints; at most {MAX_POSITIONS:,} positions "
            "can be read here: cut the take into parts"
        )
    try:
        frame_time = float(found[2])
    except ValueError:
        return
    _check_minutes(frames * frame_time)


def _check_minutes(seconds: float) -> None:
    if seconds > 60 * MAX_MINUTES:
        raise InputError(
            f"it is {seconds / 60:,.0f} minutes long; at most {MAX_MINUTES} can be read here: "
            "cut the take into parts"
        )


def _measure_archive(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            total = sum(member.file_size for member in members)
            if total > MAX_ARRAY_BYTES:
                raise _too_large(total)
            for member in members:
                if member.filename.endswith(".npy"):
                    with archive.open(member) as file:
                        _measure_array(file)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError):
        return  # the reader says what is wrong with it


def _measure_array(file: IO[bytes]) -> None:
    """Check the size that the header of a .npy file states."""
    try:
        version = np.lib.format.read_magic(file)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, _, dtype = read_header(file)
    except (ValueError, KeyError, EOFError):
        return
    size = dtype.itemsize
    for length in shape:
        size *= int(length)
    if size > MAX_ARRAY_BYTES:
        raise _too_large(size)


def _too_large(size: int) -> InputError:
    return InputError(
        f"it holds {size / 1024**2:,.0f} MB of numbers; "
        f"at most {MAX_ARRAY_BYTES // 1024**2} MB can be read here"
    )
