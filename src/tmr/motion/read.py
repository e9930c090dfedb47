"""The one reader of motion files: any known kind as a take of our 22 joints."""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from tmr.errors import InputError
from tmr.motion.animation import Animation, starts_at_rest, world_positions
from tmr.motion.conventions import NoMotion, Overrides, Recording, Take, normalize_recording
from tmr.motion.feature_checks import checked_features, convention_problem
from tmr.motion.features import joints_to_features
from tmr.motion.readers import fbx, gltf
from tmr.motion.readers.asf_amc import read_amc, skeleton_of
from tmr.motion.readers.bvh import read_bvh
from tmr.motion.readers.npy import load_npy, read_joints
from tmr.motion.skeleton import FPS
from tmr.motion.skeleton_maps import map_skeleton, profile_named

_NO_OVERRIDES = Overrides()

log = logging.getLogger(__name__)


def read_motion(
    path: Path | str, overrides: Overrides = _NO_OVERRIDES, log_warnings: bool = True
) -> Take:
    """Read a motion file: its 22 joints in meters, Y up, right-handed, 20 frames a second.

    ``overrides`` is what the file does not state about itself, or states wrongly. The take tells
    how the file was read and what is odd about it; with ``log_warnings`` each oddity and each
    guess is logged too, with the file.

    Raises:
        InputError: the file cannot be read, or its joints cannot be a human motion; the message
            names the file.
        NoMotion: the file is whole and holds no motion.
    """
    with _naming(path):
        take = normalize_recording(read_recording(path, overrides), overrides)
    if log_warnings:
        for warning in take.warnings:
            log.warning("%s: %s", path, warning)
    return take


def read_features(
    path: Path | str, overrides: Overrides = _NO_OVERRIDES
) -> Float32[np.ndarray, "frames 263"]:
    """Read the features of a motion: those in a .npy file of features, or made of any motion file.

    A .npy file of joints that does not tell its frame rate has 20 frames a second here.

    Raises:
        InputError: as :func:`read_motion`, and for features of a wrong shape or not finite.
    """
    path = Path(path)
    if path.suffix.lower() == ".npy":
        with _naming(path):
            _check_ordinary(path)
            array = load_npy(path)
            if array.ndim == 2:
                features = checked_features(array)
                problem = convention_problem(features)
                if problem is not None:
                    log.warning("%s: %s", path, problem)
                return features
        if overrides.fps is None:
            overrides = replace(overrides, fps=FPS)
    joints = read_motion(path, overrides).joints
    with _naming(path):
        return joints_to_features(joints)


def read_file(
    path: Path, overrides: Overrides = _NO_OVERRIDES
) -> tuple[Float32[np.ndarray, "frames 263"], float, int]:
    """Features of a motion file, with the rate and the number of frames of the file.

    Raises:
        InputError: a file that cannot be used; it is named.
    """
    if path.suffix.lower() == ".npy":
        features = read_features(path, overrides)
        fps = float(overrides.fps or FPS)
        return features, fps, round(len(features) / FPS * fps)
    take = read_motion(path, overrides, log_warnings=False)
    with _naming(path):
        return joints_to_features(take.joints), float(take.reading.fps), take.reading.frames


def read_recording(path: Path | str, overrides: Overrides = _NO_OVERRIDES) -> Recording:
    """Read the 22 joints of a motion file in its own units and axes.

    Raises:
        InputError: the file cannot be read; the message names it.
    """
    path = Path(path)
    reader = READERS.get(path.suffix.lower())
    with _naming(path):
        if reader is None:
            raise InputError(f"expected a motion file ({', '.join(READERS)})")
        _check_ordinary(path)
        return reader(path, overrides)


def sources_of(path: Path) -> tuple[Path, ...]:
    """The files that a motion is read from: its own, and of an AMC file its skeleton if there."""
    if path.suffix.lower() == ".amc":
        with suppress(InputError):  # raised again by whoever reads the motion
            return (path, skeleton_of(path))
    return (path,)


def check_readable(files: Iterable[Path], overrides: Overrides) -> None:
    """Check what all files of a kind need: the skeleton profile, optional packages, body models.

    Raises:
        InputError: something is missing; the message says how to get it.
    """
    suffixes = {file.suffix.lower() for file in files}
    if overrides.profile is not None:
        profile_named(overrides.profile)
    if ".fbx" in suffixes:
        fbx.check_ready()
    if suffixes & {".glb", ".gltf", ".vrm"}:
        gltf.check_ready()
    if ".npz" in suffixes:
        from tmr.motion.readers.amass import check_ready  # noqa: PLC0415  takes seconds

        check_ready(overrides.body_models)


def _from_bvh(path: Path, overrides: Overrides) -> Recording:
    return _map_animation(read_bvh(path), overrides)


def _from_amc(path: Path, overrides: Overrides) -> Recording:
    return _map_animation(read_amc(path), overrides)


def _from_fbx(path: Path, overrides: Overrides) -> Recording:
    animation, unit, up = fbx.read_fbx(path)
    return _map_animation(animation, overrides, unit, up)


def _from_gltf(path: Path, overrides: Overrides) -> Recording:
    return _map_animation(gltf.read_gltf(path), overrides, gltf.UNIT, gltf.UP)


def _map_animation(
    animation: Animation,
    overrides: Overrides,
    unit: float | None = None,
    up: str | None = None,
) -> Recording:
    """Our joints of an animation, in its own ``unit`` and axes, as far as the file states them."""
    found = map_skeleton(animation, overrides.profile)
    profile = found.profile
    joints = [p for p in found.points if p < len(animation.names) and animation.names[p]]
    t_pose_first = profile.t_pose_first
    warnings = [*animation.warnings, *found.warnings]
    if t_pose_first is None and starts_at_rest(animation, joints):
        t_pose_first = True
        warnings.append("the first frame, a rest pose from which the body leaps, is left out")
    first = int(bool(t_pose_first))
    if animation.num_frames <= first:
        raise NoMotion("holds a T-pose and no motion" if first else "holds no frame")
    positions = found.select(world_positions(animation, found.points, found.added, first))
    rest = None if found.rest is None else found.select(found.rest[None, found.points])[0]
    return Recording(
        positions, found.name, animation.fps, profile.unit or unit, profile.up or up,
        rest=rest, warnings=tuple(warnings),
    )  # fmt: skip


def _from_npz(path: Path, overrides: Overrides) -> Recording:
    from tmr.motion.readers.amass import read_amass  # noqa: PLC0415  takes seconds

    return read_amass(path, overrides.body_models)


def _from_npy(path: Path, overrides: Overrides) -> Recording:
    return read_joints(path)


# The readers by the suffix of a file, in lower case.
READERS: dict[str, Callable[[Path, Overrides], Recording]] = {
    ".bvh": _from_bvh,
    ".amc": _from_amc,
    ".fbx": _from_fbx,
    ".glb": _from_gltf,
    ".gltf": _from_gltf,
    ".vrm": _from_gltf,
    ".npz": _from_npz,
    ".npy": _from_npy,
}


def _check_ordinary(path: Path) -> None:
    if path.exists() and not path.is_file():  # a pipe would be waited for, a device never ends
        raise InputError("not an ordinary file")


@contextmanager
def _naming(path: Path | str) -> Iterator[None]:
    """Errors within name the file."""
    try:
        yield
    except InputError as error:
        if str(path) in str(error):
            raise
        raise type(error)(f"{path}: {error}") from None
