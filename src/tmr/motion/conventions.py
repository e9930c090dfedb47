"""What the numbers of a motion file mean: frame rate, unit, up axis, handedness.

Files seldom state it all. What is given counts first, then what the file states, then what its
joints show: a body is about as tall as a body, its neck is above its ankles, its knees and toes
point forward. What contradicts the joints is refused, what is only odd is a warning.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from tmr.errors import InputError
from tmr.motion.anatomy import (
    body_axis,
    check_bones,
    check_proportions,
    check_two_legs,
    stands,
    stature,
    toes_ahead,
    unit_vectors,
)
from tmr.motion.gait import FASTEST_WALK, walking_steps
from tmr.motion.kinematics import across, bones
from tmr.motion.resample import resample
from tmr.motion.skeleton import JOINTS, joint

# Meters.
UNITS = {
    "mm": 0.001,
    "cm": 0.01,
    "inch": 0.0254,
    "cmu": 0.0254 / 0.45,  # the unit of the CMU mocap database
    "dm": 0.1,
    "foot": 0.3048,
    "m": 1.0,
}

# How coordinates become Y up without a change of handedness: their order and their signs.
_TO_Y_UP = {
    "x": ((1, 0, 2), (-1, 1, 1)),
    "y": ((0, 1, 2), (1, 1, 1)),
    "z": ((0, 2, 1), (1, 1, -1)),
    "-x": ((1, 0, 2), (1, -1, 1)),
    "-y": ((0, 1, 2), (1, -1, -1)),
    "-z": ((0, 2, 1), (1, -1, 1)),
}
HANDEDNESS = ("right", "left")

# Along legs and spine, ankle to head, in meters: 1.48 on the reference skeleton.
_USUAL_STATURE = 1.48
_STATURE = (1.1, 1.85)  # where the unit is found: of those that fit, the nearest to the usual one
_POSSIBLE_STATURE = (0.3, 4.0)  # where the unit is known: children and giants too
_FRAME_RATES = (5.0, 1000.0)
_FORWARD = 0.02  # how far knees and toes are before the legs at least, as a part of the stature
_FASTEST = 30.0  # meters a second
_STORY = 2.5  # meters
_STRAY = 0.2  # meters that a bone may be off its usual length
_LOOKED_AT = 256  # frames are enough to see proportions
_FLOOR = 0.06  # of the stature: a floor nearer to zero is at zero
_UPRIGHT = 0.7  # length of the mean body axis along an axis above which bodies stand along it


class NoMotion(InputError):
    """A file that belongs to a data set of motions but holds none."""


@dataclass(frozen=True, slots=True)
class Overrides:
    """What is given about motion files, before what they state; None is left to them.

    ``profile`` is the name of a skeleton profile or the path of one's own (YAML), ``unit`` a name
    in UNITS or meters, ``up`` the axis x, y, z, -x, -y or -z.

    Raises:
        InputError: a value is none of these, or not above zero.
    """

    profile: str | None = None
    fps: float | int | None = None
    unit: float | int | str | None = None
    up: str | None = None
    handedness: str | None = None
    body_models: str | None = None  # folder of SMPL-H, SMPL-X or SMPL files

    def __post_init__(self) -> None:
        if isinstance(self.unit, str) and self.unit not in UNITS:
            raise InputError(
                f"unknown unit {self.unit!r}: expected meters or one of {_list(UNITS)}"
            )
        if self.up is not None and self.up not in _TO_Y_UP:
            raise InputError(f"unknown up axis {self.up!r}: expected one of {_list(_TO_Y_UP)}")
        if self.handedness is not None and self.handedness not in HANDEDNESS:
            raise InputError(
                f"unknown handedness {self.handedness!r}: expected one of {_list(HANDEDNESS)}"
            )
        for name, value in {"fps": self.fps, "unit": self.meters}.items():
            number = isinstance(value, int | float | np.number)
            if value is not None and not (number and 0 < value < np.inf):
                raise InputError(f"found {name}={value!r}, expected a number above zero")

    @property
    def meters(self) -> float | None:
        """The unit in meters."""
        if isinstance(self.unit, str):
            return UNITS[self.unit]
        return None if self.unit is None else float(self.unit)


@dataclass(frozen=True, slots=True)
class Recording:
    """The 22 joints as a file has them, with what the file states about itself.

    ``warnings`` are what its reader had to guess or to leave out, each as one line.
    """

    positions: Float[np.ndarray, "frames 22 3"]
    skeleton: str
    fps: float | None = None
    unit: float | None = None
    up: str | None = None
    handedness: str | None = None
    rest: Float[np.ndarray, "22 3"] | None = None  # the joints in the rest pose of the hierarchy
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file was read: the skeleton, frames and frame rate it has, unit and axes."""

    skeleton: str
    frames: int
    fps: float
    unit: float
    up: str
    handedness: str

    def __str__(self) -> str:
        return (
            f"skeleton {self.skeleton}, 1 unit = {self.unit:.4g} m, {self.up} up, "
            f"{self.handedness}-handed, {self.fps:.4g} fps"
        )


@dataclass(frozen=True, slots=True)
class Take:
    """Joints in meters, Y up, right-handed, 20 frames a second; how they were read; warnings."""

    joints: Float[np.ndarray, "frames 22 3"]
    reading: Reading
    warnings: tuple[str, ...]


def normalize_recording(recording: Recording, overrides: Overrides) -> Take:
    """Bring a recording to meters, Y up, right-handed axes and 20 frames a second.

    Raises:
        InputError: a value is missing or not finite, or the joints contradict what was given or
            have no plausible meaning.
        NoMotion: there is no frame.
    """
    if not len(recording.positions):
        raise NoMotion("an empty array has no motion")
    _check_finite(recording.positions)
    fps = recording.fps if overrides.fps is None else float(overrides.fps)
    if fps is None:
        raise InputError("the file does not say its frame rate: give it as fps=NUMBER")
    if overrides.fps is None and not _FRAME_RATES[0] <= fps <= _FRAME_RATES[1]:
        raise InputError(
            f"found {fps:.4g} frames a second: if that is true, say so by fps={fps:.4g}"
        )
    some = recording.positions[:: 1 + len(recording.positions) // _LOOKED_AT]
    check_bones(some)
    check_proportions(some)
    if recording.rest is not None:
        check_two_legs(some, recording.rest)
    warnings = list(recording.warnings)
    height = stature(some)
    unit = _unit(height, overrides.meters, recording.unit, warnings)
    up = overrides.up or recording.up or up_axis(some / height, recording.rest, warnings)
    handedness = overrides.handedness or recording.handedness or "right"
    reading = Reading(recording.skeleton, len(recording.positions), fps, unit, up, handedness)
    joints = _upright(recording.positions, up, handedness) * unit
    ahead = toes_ahead(joints[:: 1 + len(joints) // _LOOKED_AT]) / (height * unit)
    if ahead < -_FORWARD and overrides.handedness is None and recording.handedness is None:
        raise InputError(
            "knees and toes point backward: the axes are left-handed, or left and right are "
            "exchanged; give handedness=left, or handedness=right if all is well"
        )
    warnings += _oddities(joints, fps, ahead)
    clip = resample(joints, fps)
    steps = walking_steps(clip)
    if steps is not None and steps > FASTEST_WALK:
        warnings.append(
            f"a walk of {steps:.1f} steps a second, faster than people walk: if {fps:.4g} frames a "
            "second are not true, give fps=NUMBER"
        )
    return Take(clip, reading, tuple(warnings))


def up_axis(
    joints: Float[np.ndarray, "frames 22 3"],
    rest: Float[np.ndarray, "22 3"] | None,
    warnings: list[str],
) -> str:
    """The axis that is up: the one along which the body stands, in the motion and at rest.

    Where they differ, it is the one whose floor, the lowest point of most frames, is nearest to
    zero: a body that lies is not stood up, and a rest pose that is no pose of a body does not
    count. Without a rest pose, y counts in its place if it alone has a floor at zero. What is not
    certain is added to ``warnings``. ``joints`` are in units of the stature.
    """
    moving, resting = _axis_of(body_axis(joints)), None
    if rest is not None and stands(rest):
        resting = _axis_of(body_axis(rest[None]))
    elif abs(_floor(joints, "y")) < _FLOOR < abs(_floor(joints, moving or "y")):
        resting = "y"
    if moving is None or resting is None or moving == resting:
        up = moving or resting or "y"
        if moving is None:
            warnings.append(
                f"the body does not stand: read {up} up; if that is wrong, give up=AXIS"
            )
        return up
    up = min((resting, moving), key=lambda axis: abs(_floor(joints, axis)))
    other = moving if up == resting else resting
    warnings.append(
        f"read {up} up, by where the floor is, though the body could stand along {other}: if that "
        "is wrong, give up=AXIS"
    )
    return up


def _axis_of(direction: Float[np.ndarray, " 3"]) -> str | None:
    """The axis along which a direction points clearly."""
    strongest = int(np.abs(direction).argmax())
    if abs(direction[strongest]) < _UPRIGHT:
        return None
    return ("" if direction[strongest] > 0 else "-") + "xyz"[strongest]


def _floor(joints: Float[np.ndarray, "frames 22 3"], up: str) -> float:
    """Height of the lowest point in a low frame."""
    heights = _upright(joints, up, "right")[..., 1].min(axis=1)
    return float(np.percentile(heights, 10))


def _unit(height: float, given: float | None, stated: float | None, warnings: list[str]) -> float:
    """Meters of one unit: the given one, that of the file, a usual one, or one that makes a human.

    A unit that makes no human is refused where it is given, and left out of account in a file.
    """
    if given is not None:
        if not _is_possible(height * given):
            raise InputError(
                f"with 1 unit = {given:.4g} m a person is {height * given:.3g} m long from ankle "
                "to head: give the right unit as unit=METERS"
            )
        return given
    if stated is not None:
        if _is_possible(height * stated):
            return stated
        warnings.append(
            f"the file's unit, {stated:.4g} m, makes a body of {height * stated:.3g} m from ankle "
            "to head: it is left out of account"
        )
    unit = min(UNITS.values(), key=lambda unit: abs(np.log(height * unit / _USUAL_STATURE)))
    if _STATURE[0] < height * unit < _STATURE[1]:
        return unit
    unit = _USUAL_STATURE / height
    warnings.append(
        f"no usual unit makes a human of a body {height:.3g} units long from ankle to head: read "
        f"with 1 unit = {unit:.3g} m, which makes it {_USUAL_STATURE:g} m; if that is wrong, give "
        "unit=METERS"
    )
    return unit


def _upright(
    positions: Float[np.ndarray, "frames 22 3"], up: str, handedness: str
) -> Float[np.ndarray, "frames 22 3"]:
    order, signs = _TO_Y_UP[up]
    mirror = [-1, 1, 1] if handedness == "left" else [1, 1, 1]
    return positions[..., order] * np.array(signs, dtype=float) * mirror


def _is_possible(height: float) -> bool:
    return _POSSIBLE_STATURE[0] < height < _POSSIBLE_STATURE[1]


def _check_finite(positions: Float[np.ndarray, "frames 22 3"]) -> None:
    broken = np.argwhere(~(np.abs(positions) < 1e9))
    if len(broken):
        frame, which, _ = broken[0]
        raise InputError(f"frame {frame}: the position of {JOINTS[which]} is NaN or infinite")


def _oddities(joints: Float[np.ndarray, "frames 22 3"], fps: float, ahead: float) -> list[str]:
    """What is possible but rare, each as half a sentence."""
    warnings = []
    some = joints[:: 1 + len(joints) // _LOOKED_AT]
    upward = body_axis(some)
    if np.abs(upward).max() > 0.8 and upward[1] < 0.5:
        where = "upside down" if upward[1] < -0.8 else "lying"
        warnings.append(
            f"the body is {where} throughout; if it stands, give the up axis as up=AXIS"
        )
    floor = np.ptp(np.percentile(some[..., 1].min(axis=1), [10, 90]))
    if floor > _STORY:
        warnings.append(f"the floor moves by {floor:.1f} m; is the up axis right?")
    lengths = np.linalg.norm(bones(joints), axis=-1)
    stray = np.abs(lengths - np.median(lengths, axis=0))
    if stray.max() > _STRAY:
        frame, bone = np.unravel_index(stray.argmax(), stray.shape)
        length = lengths[frame, bone]
        warnings.append(f"{JOINTS[bone + 1]} is {length:.1f} m from its parent in frame {frame}")
    steps = np.diff(joints[:, 0], axis=0)
    speed = np.linalg.norm(steps, axis=-1) * fps
    if speed.max(initial=0) > _FASTEST:
        frame = int(speed.argmax())
        warnings.append(f"the pelvis jumps at {speed[frame]:.0f} m/s in frame {frame + 1}")
    if ahead < -_FORWARD:
        warnings.append("knees and toes point backward; is the handedness right?")
    elif ahead < _FORWARD and _walks_backward(joints):
        warnings.append("the walk goes backward; are left and right exchanged?")
    return warnings


def _walks_backward(joints: Float[np.ndarray, "frames 22 3"]) -> bool:
    steps = np.diff(joints[:, 0], axis=0)
    distance = np.linalg.norm(steps, axis=-1).sum()
    return bool(distance > 1 and (_forward(joints)[1:] * steps).sum() < -distance / 2)


def _forward(joints: Float[np.ndarray, "frames 22 3"]) -> Float[np.ndarray, "frames 3"]:
    """Unit vectors at a right angle to the spine and to the line from left to right."""
    spine = joints[:, joint("neck")] - joints[:, 0]
    return unit_vectors(np.cross(spine, across(joints)))


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)
