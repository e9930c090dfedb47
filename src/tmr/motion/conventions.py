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
from tmr.motion.kinematics import across, bones
from tmr.motion.resample import resample
from tmr.motion.skeleton import JOINTS, PARENTS, joint

# Meters.
UNITS = {
    "mm": 0.001,
    "cm": 0.01,
    "inch": 0.0254,
    "cmu": 0.0254 / 0.45,  # the unit of the CMU mocap database
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

# Along legs and spine, ankle to head, in meters: 1.48 on the reference skeleton. The ratio of the
# bounds is below that of neighboring units, so that at most one unit fits.
_STATURE = (0.95, 2.05)
_POSSIBLE_STATURE = (0.3, 4.0)  # where the unit is known: children and giants too
_FRAME_RATES = (5.0, 1000.0)
_LOOSE_BONES = 0.25  # how much bones may change their length, as a part of it
_FORWARD = 0.02  # how far knees and toes are before the body at least, as a part of the stature
_FASTEST = 30.0  # meters a second
_STORY = 2.5  # meters
_STRAY = 0.2  # meters that a bone may be off its usual length
_LOOKED_AT = 256  # frames are enough to see proportions


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
            if value is not None and not 0 < value < np.inf:
                raise InputError(f"found {name}={value}, expected a number above zero")

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
    _check_bones(some)
    reading = Reading(
        recording.skeleton,
        len(recording.positions),
        fps,
        _unit(stature(some), overrides.meters or recording.unit),
        overrides.up or recording.up or up_axis([body_axis(some)]),
        overrides.handedness or recording.handedness or "right",
    )
    joints = _upright(recording.positions, reading.up, reading.handedness) * reading.unit
    if overrides.handedness is None and recording.handedness is None:
        _check_sides(joints[:: 1 + len(joints) // _LOOKED_AT])
    return Take(resample(joints, fps), reading, (*recording.warnings, *_oddities(joints, fps)))


def stature(joints: Float[np.ndarray, "frames 22 3"]) -> float:
    """Length of the body along legs and spine, from ankle to head, in the unit of the joints."""
    lengths = np.median(np.linalg.norm(bones(joints), axis=-1), axis=0)
    length = {name: lengths[joint(name) - 1] for name in JOINTS[1:]}
    legs = sum(length[f"{side}_{j}"] for side in ("left", "right") for j in ("knee", "ankle"))
    spine = sum(length[j] for j in ("spine1", "spine2", "spine3", "neck", "head"))
    return float(legs / 2 + spine)


def body_axis(joints: Float[np.ndarray, "frames 22 3"]) -> Float[np.ndarray, " 3"]:
    """Mean direction from between the ankles to the neck; shorter than 1 where it changes."""
    ankles = (joints[:, joint("left_ankle")] + joints[:, joint("right_ankle")]) / 2
    upward = joints[:, joint("neck")] - ankles
    return (upward / np.maximum(np.linalg.norm(upward, axis=-1, keepdims=True), 1e-12)).mean(axis=0)


def up_axis(body_axes: list[Float[np.ndarray, " 3"]]) -> str:
    """The axis along which most bodies stand, given the :func:`body_axis` of each clip.

    It is y, as in most files, unless bodies stand clearly along another.
    """
    x, y, z = np.mean(body_axes or [np.zeros(3)], axis=0)
    strength = {"y": y, "z": z, "x": x, "-y": -y, "-z": -z, "-x": -x}
    best = max(strength, key=lambda axis: strength[axis])
    return best if strength[best] > 0.7 else "y"


def _upright(
    positions: Float[np.ndarray, "frames 22 3"], up: str, handedness: str
) -> Float[np.ndarray, "frames 22 3"]:
    order, signs = _TO_Y_UP[up]
    mirror = [-1, 1, 1] if handedness == "left" else [1, 1, 1]
    return positions[..., order] * np.array(signs, dtype=float) * mirror


def _unit(height: float, known: float | None) -> float:
    if known is not None:
        if not _POSSIBLE_STATURE[0] < height * known < _POSSIBLE_STATURE[1]:
            raise InputError(
                f"with 1 unit = {known:.4g} m a person is {height * known:.3g} m long from ankle "
                "to head: give the right unit as unit=METERS"
            )
        return known
    for unit in UNITS.values():
        if _STATURE[0] < height * unit < _STATURE[1]:
            return unit
    raise InputError(
        f"a person is {height:.3g} units long from ankle to head, which no usual unit "
        f"({_list(UNITS)}) makes a human body: give the unit as unit=METERS"
    )


def _check_finite(positions: Float[np.ndarray, "frames 22 3"]) -> None:
    broken = np.argwhere(~(np.abs(positions) < 1e9))
    if len(broken):
        frame, which, _ = broken[0]
        raise InputError(f"frame {frame}: the position of {JOINTS[which]} is NaN or infinite")


def _check_bones(joints: Float[np.ndarray, "frames 22 3"]) -> None:
    lengths = np.linalg.norm(bones(joints), axis=-1)
    empty = np.argwhere(lengths == 0)
    if len(empty):
        _, bone = empty[0]
        raise InputError(
            f"{JOINTS[bone + 1]} is in the same place as its parent {JOINTS[PARENTS[bone + 1]]}"
        )
    change = float(np.median(lengths.std(axis=0) / lengths.mean(axis=0)))
    if change > _LOOSE_BONES:
        raise InputError(
            f"bones change their length by {change:.0%}: these are not the positions of the 22 "
            "joints of SMPL"
        )


def _check_sides(joints: Float[np.ndarray, "frames 22 3"]) -> None:
    if _before_the_body(joints) < -_FORWARD:
        raise InputError(
            "knees and toes point backward: the axes are left-handed, or left and right are "
            "exchanged; give handedness=left, or handedness=right if all is well"
        )


def _oddities(joints: Float[np.ndarray, "frames 22 3"], fps: float) -> list[str]:
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
    ahead = _before_the_body(some)
    if ahead < -_FORWARD:
        warnings.append("knees and toes point backward; is the handedness right?")
    elif ahead < _FORWARD and _walks_backward(joints):
        warnings.append("the walk goes backward; are left and right exchanged?")
    return warnings


def _before_the_body(joints: Float[np.ndarray, "frames 22 3"]) -> float:
    """How far toes and knees are before the line of the body, as a part of its stature.

    On mocap it is above 0.07; the mirror image of a body has the same below zero.
    """
    ahead = np.zeros(joints[:, 0].shape)
    for side in ("left", "right"):
        hip, knee, ankle, toes = (
            joints[:, joint(f"{side}_{name}")] for name in ("hip", "knee", "ankle", "foot")
        )
        ahead += ((toes - ankle) + (knee - (hip + ankle) / 2)) / 2
    return float((_forward(joints) * ahead).sum(axis=-1).mean()) / stature(joints)


def _walks_backward(joints: Float[np.ndarray, "frames 22 3"]) -> bool:
    steps = np.diff(joints[:, 0], axis=0)
    distance = np.linalg.norm(steps, axis=-1).sum()
    return bool(distance > 1 and (_forward(joints)[1:] * steps).sum() < -distance / 2)


def _forward(joints: Float[np.ndarray, "frames 22 3"]) -> Float[np.ndarray, "frames 3"]:
    """Unit vectors at a right angle to the spine and to the line from left to right."""
    spine = joints[:, joint("neck")] - joints[:, 0]
    forward = np.cross(spine, across(joints))
    return forward / np.maximum(np.linalg.norm(forward, axis=-1, keepdims=True), 1e-12)


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)
