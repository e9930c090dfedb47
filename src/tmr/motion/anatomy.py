"""What a human body shows in the positions of its 22 joints, whatever their unit and axes."""

import numpy as np
from jaxtyping import Bool, Float

from tmr.errors import InputError
from tmr.motion.kinematics import bones
from tmr.motion.skeleton import JOINTS, PARENTS, joint

_LOOSE_BONES = 0.25  # how much bones may change their length, as a part of it
# Ratios of lengths that hold for children and adults, and for the figures of films and games.
_PROPORTIONS = (
    ("thigh", "shin", 0.45, 2.2),
    ("upper arm", "forearm", 0.45, 2.4),
    ("trunk", "leg", 0.35, 1.6),
    ("arm", "leg", 0.35, 1.3),
    ("neck", "trunk", 0.02, 0.75),
    ("hips", "leg", 0.05, 0.7),
    ("shoulders", "leg", 0.1, 1.1),
)
_LIMBS = {
    "thigh": ("hip", "knee"),
    "shin": ("knee", "ankle"),
    "upper arm": ("shoulder", "elbow"),
    "forearm": ("elbow", "wrist"),
}
_PARTS = {
    "trunk": ("pelvis", "neck"),
    "neck": ("neck", "head"),
    "hips": ("left_hip", "right_hip"),
    "shoulders": ("left_shoulder", "right_shoulder"),
} | {
    f"{side} {limb}": (f"{side}_{a}", f"{side}_{b}")
    for side in ("left", "right")
    for limb, (a, b) in _LIMBS.items()
}
_UNLIKE = 1.6  # times that a limb of one side may be longer than that of the other


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
    return unit_vectors(joints[:, joint("neck")] - ankles).mean(axis=0)


def stands(joints: Float[np.ndarray, "22 3"]) -> bool:
    """Whether the legs lead away from the trunk, side by side, as in a T-pose.

    At rest, the bones of many rigs all point along one axis.
    """
    trunk = joints[joint("neck")] - joints[joint("pelvis")]
    legs = [
        joints[joint(f"{side}_ankle")] - joints[joint(f"{side}_hip")] for side in ("left", "right")
    ]
    trunk, left, right = unit_vectors(np.stack([trunk, *legs]))
    return bool(left @ right > 0.6 and trunk @ (left + right) < -1.2)


def toes_ahead(joints: Float[np.ndarray, "frames 22 3"]) -> float:
    """How far toes and knees are before the legs, in the unit of the joints.

    Before is what lies at a right angle to a leg and to the line of the hips, so the pose of the
    body does not matter. On mocap it is above 0.05 of the stature; the mirror image of a body has
    the same below zero.
    """
    left = joints[:, joint("left_hip")] - joints[:, joint("right_hip")]
    ahead = np.zeros(len(joints))
    for side in ("left", "right"):
        hip, knee, ankle, toes = (
            joints[:, joint(f"{side}_{name}")] for name in ("hip", "knee", "ankle", "foot")
        )
        for reach, leg in ((toes - ankle, knee - ankle), (knee - (hip + ankle) / 2, hip - ankle)):
            ahead += (reach * unit_vectors(np.cross(left, leg))).sum(axis=-1) / 2
    return float(ahead.mean())


def check_two_legs(
    joints: Float[np.ndarray, "frames 22 3"], rest: Float[np.ndarray, "22 3"]
) -> None:
    """Check that neither rest pose nor motion are those of an animal on four legs.

    Its trunk lies across the legs, and the arms are as long as the legs and lead the same way. A
    human who crawls has another rest pose.

    Raises:
        InputError: they are.
    """
    if _on_four_legs(rest[None])[0] and np.median(_on_four_legs(joints)):
        raise InputError("the body stands on four legs: this is not a human")


def _on_four_legs(joints: Float[np.ndarray, "frames 22 3"]) -> Bool[np.ndarray, " frames"]:
    def lead(a: str, b: str) -> Float[np.ndarray, "frames 3"]:
        ways = [joints[:, joint(f"{side}_{b}")] - joints[:, joint(f"{side}_{a}")]
                for side in ("left", "right")]  # fmt: skip
        return unit_vectors(ways[0] + ways[1])

    trunk = unit_vectors(joints[:, joint("neck")] - joints[:, joint("pelvis")])
    legs, arms = lead("hip", "ankle"), lead("shoulder", "wrist")
    across = np.abs((trunk * legs).sum(axis=-1)) < 0.7
    return across & ((legs * arms).sum(axis=-1) > 0.7)


def check_bones(joints: Float[np.ndarray, "frames 22 3"]) -> None:
    """Check that bones have a length, and keep it.

    Raises:
        InputError: these are not the 22 joints of a body.
    """
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


def check_proportions(joints: Float[np.ndarray, "frames 22 3"]) -> None:
    """Check that lengths of limbs are those of a human.

    Raises:
        InputError: they are those of an animal, or joints are taken for others.
    """
    length = _lengths(joints)
    for part, other, least, most in _PROPORTIONS:
        ratio = length[part] / length[other]
        if not least < ratio < most:
            raise InputError(
                f"found a {part} of {ratio:.2g} times the {other}, expected {least:g} to {most:g}: "
                "this is not a human, or joints are taken for others"
            )
    for limb in _LIMBS:
        ratio = length[f"left {limb}"] / length[f"right {limb}"]
        if not 1 / _UNLIKE < ratio < _UNLIKE:
            raise InputError(
                f"the left {limb} is {ratio:.2g} times as long as the right one: joints are taken "
                "for others"
            )


def _lengths(joints: Float[np.ndarray, "frames 22 3"]) -> dict[str, float]:
    """Median lengths of the parts of a body, those of limbs for each side and for both."""
    starts, ends = ([joint(pair[k]) for pair in _PARTS.values()] for k in (0, 1))
    lengths = np.linalg.norm(joints[:, starts] - joints[:, ends], axis=-1)
    medians = np.maximum(np.median(lengths, axis=0), 1e-12).tolist()
    length = dict(zip(_PARTS, medians, strict=True))
    for limb in _LIMBS:
        length[limb] = (length[f"left {limb}"] + length[f"right {limb}"]) / 2
    length["leg"] = length["thigh"] + length["shin"]
    length["arm"] = length["upper arm"] + length["forearm"]
    return length


def unit_vectors(vectors: Float[np.ndarray, "*shape 3"]) -> Float[np.ndarray, "*shape 3"]:
    """The vectors scaled to length 1; those of length zero stay zero."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
