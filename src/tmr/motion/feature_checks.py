"""Whether features and joints mean what they are taken for: cheap checks on their redundancy.

Features repeat themselves: contacts are 0 or 1, bones have the lengths of the reference skeleton
whatever the body was, heads are above feet, and knees and toes point forward. Features that were
normalized, padded, mirrored, or made of joints in another order or with another axis up give
themselves away, while those of a generator, which are never exact, pass.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Float32

from tmr.errors import InputError
from tmr.motion.anatomy import toes_ahead
from tmr.motion.conventions import Overrides, Recording, Take, normalize_recording
from tmr.motion.features import (
    CONTACTS,
    NUM_FEATURES,
    POSITIONS,
    ROOT_HEIGHT,
    ROOT_VELOCITY,
)
from tmr.motion.kinematics import bones
from tmr.motion.skeleton import BONE_LENGTHS, FPS, NUM_JOINTS, joint

# Bounds far outside of what real motions have (in brackets: the worst of 492 clips of CMU).
_CONTACT = 0.3  # mean distance of a contact from 0 or 1 (0)
_BONES = 0.3  # mean deviation of bones from their lengths, as a part of them (3e-7)
_UPSIDE_DOWN = -0.3  # meters of the head above the feet, mean over a motion (0.54)
_LYING = 0.3  # meters, the same
_MIRRORED = -0.02  # toes and knees ahead of the legs, as a part of the stature (0.097)
_MANY = 5  # motions of which all lie only when the axes are wrong
_STILL = 1e-6  # meters: no pelvis keeps so still
_ENOUGH_FRAMES = 10
_LARGEST = 1e6
_LOOKED_AT = 64  # frames are enough to see proportions

_FEET = [joint(name) for name in ("left_foot", "right_foot", "left_ankle", "right_ankle")]
_OTHER_WIDTHS = {
    251: "those of KIT-ML's 21 joints, which a model of 22 joints does not read",
    272: "another representation: give joints (frames, 22, 3) instead",
    262: "a column is missing",
    NUM_JOINTS * 3: "joints? Reshape them to (frames, 22, 3)",
}


def checked_features(features: np.ndarray) -> Float32[np.ndarray, "frames 263"]:
    """Features of one motion in float32, if their shape and numbers can be features.

    Raises:
        InputError: another shape, no frame, NaN or infinite values, or frames of zeros, which
            padding leaves.
    """
    if features.ndim != 2 or features.shape[1] != NUM_FEATURES or len(features) == 0:
        width = features.shape[1] if features.ndim == 2 else 0
        hint = f" ({_OTHER_WIDTHS[width]})" if width in _OTHER_WIDTHS else ""
        raise InputError(
            f"found an array of shape {features.shape}{hint}, expected features "
            f"(frames, {NUM_FEATURES}) or joints (frames, {NUM_JOINTS}, 3)"
        )
    if features.dtype.kind not in "fiu" or not (np.abs(features) < _LARGEST).all():
        raise InputError("the features hold NaN, infinite or huge values, or no numbers")
    empty = ~features.any(axis=1)
    if empty.any():
        raise InputError(
            f"{int(empty.sum())} of {len(features)} frames are all zeros, from frame "
            f"{int(empty.argmax())} on: is the motion padded? Give the numbers of real frames as "
            "lengths=[...], or cut the padding off"
        )
    return features.astype(np.float32, copy=False)


def convention_problem(features: Float[np.ndarray, "frames 263"]) -> str | None:
    """What shows that features of one motion mean something else, with a remedy; None if nothing.

    ``features`` are unnormalized. A motion in which somebody lies or stands on the hands is none.
    """
    some = features[:: 1 + len(features) // _LOOKED_AT]
    body, contacts = _body(some), some[:, CONTACTS]
    lengths = np.median(np.linalg.norm(bones(body), axis=-1), axis=0)
    deviation = np.abs(lengths / BONE_LENGTHS[1:] - 1).mean()
    loose = deviation > _BONES
    unlike = np.minimum(np.abs(contacts), np.abs(contacts - 1)).mean() > _CONTACT
    reach = f"foot contacts are from {contacts.min():.2g} to {contacts.max():.2g}, expected 0 or 1"
    moved = np.abs(features[:, ROOT_VELOCITY]).max() + np.ptp(features[:, ROOT_HEIGHT])
    problems = {
        f"the features seem normalized: {reach}, and bones are {deviation:.0%} off their lengths; "
        "give the statistics as normalized_by=(mean, std), or undo the normalization": (
            unlike and loose
        ),
        f"bones are {deviation:.0%} off the lengths that they have in all features of this kind: "
        "the joints are in another order, or columns are exchanged": loose,
        f"{reach}: the last four columns are exchanged or scaled": unlike,
        "the head is below the feet: give the joints instead, with up='-y'": (
            _head_above_feet(body) < _UPSIDE_DOWN
        ),
        "knees and toes point backward: the joints were left-handed, or left and right are "
        "exchanged; give the joints instead, with handedness='left'": (
            not loose and toes_ahead(body) < _MIRRORED
        ),
        "the pelvis never moves: these are features of joints around the pelvis; make them of "
        "joints in the room": len(features) >= _ENOUGH_FRAMES and moved < _STILL,
    }
    return next((problem for problem, found in problems.items() if found), None)


def joints_problem(
    joints: Float[np.ndarray, "frames 22 3"], overrides: Overrides | None = None
) -> str | None:
    """What shows that joints in meters, Y up, mean something else; None if nothing."""
    try:
        take = _take(joints, overrides or Overrides())
    except InputError as error:
        return str(error)
    up = take.reading.up
    if up != "y" and (overrides is None or overrides.up is None):
        return f"the body stands along {up}, expected y: give up={up!r}"
    return _placement_problem(joints)


def in_room(
    joints: Float[np.ndarray, "frames 22 3"], overrides: Overrides
) -> Float[np.ndarray, "_ 22 3"]:
    """Joints at 20 frames a second in meters, Y up, of those that ``overrides`` describe.

    Raises:
        InputError: left and right are exchanged, or the numbers are no meters.
    """
    return _take(joints, replace(overrides, up=overrides.up or "y")).joints


def _take(joints: Float[np.ndarray, "frames 22 3"], overrides: Overrides) -> Take:
    if overrides.unit is None:
        overrides = replace(overrides, unit=1.0)
    return normalize_recording(Recording(joints, "22 joints", fps=float(FPS)), overrides)


def _placement_problem(joints: Float[np.ndarray, "frames 22 3"]) -> str | None:
    if _head_above_feet(joints) < _UPSIDE_DOWN:
        return "the head is below the feet: give up='-y'"
    if len(joints) < _ENOUGH_FRAMES or np.ptp(joints[:, 0], axis=0).max() > _STILL:
        return None
    if np.ptp(joints[:, _FEET], axis=0).max() <= _STILL:  # nothing moves at all
        return None
    return (
        "the pelvis is in the same place in every frame while the feet move: the joints are "
        "centered on the pelvis; add its path in the room"
    )


def lying_problem(motions: Sequence[Float[np.ndarray, "_ 263"]]) -> str | None:
    """Whether the bodies of all of many motions lie, which tells of a wrong axis."""
    if len(motions) < _MANY or any(_head_above_feet(_body(x)) > _LYING for x in motions):
        return None
    return (
        "the body lies in every motion: another axis than Y was up; give the joints instead, "
        "with up='z'"
    )


def _head_above_feet(body: Float[np.ndarray, "frames 22 3"]) -> float:
    """Meters of the head above the mean of ankles and toes, mean over frames."""
    heights = body[..., 1]
    return float((heights[:, joint("head")] - heights[:, _FEET].mean(axis=1)).mean())


def _body(features: Float[np.ndarray, "frames 263"]) -> Float[np.ndarray, "frames 22 3"]:
    """The joints around the point below the pelvis."""
    pelvis = np.zeros((len(features), 1, 3))
    pelvis[:, 0, 1] = features[:, ROOT_HEIGHT][:, 0]
    around = features[:, POSITIONS].reshape(len(features), NUM_JOINTS - 1, 3)
    return np.concatenate([pelvis, around], axis=1)
