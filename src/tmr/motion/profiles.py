"""Skeleton profiles: which joints of a foreign skeleton are our 22, one record each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from tmr.errors import InputError
from tmr.motion.skeleton import NUM_JOINTS, joint

# Where spine1 to spine3 lie on the line of the spine, as parts of its length from pelvis to neck.
_SPINE = {"spine1": 0.22, "spine2": 0.48, "spine3": 0.59}
_COLLAR = 0.55  # of the way from spine3 to the shoulder


@dataclass(frozen=True, slots=True)
class Profile:
    """How to read one family of skeletons."""

    spine: tuple[str, ...]  # foreign joints from pelvis to neck, both included
    joints: Mapping[str, str]  # our joint to the foreign one, for all but spine and collars
    unit: float  # metres
    t_pose_first: bool  # the first frame is a T-pose, not part of the motion

    def missing(self, names: Sequence[str]) -> list[str]:
        """The foreign joints that the profile needs and ``names`` lacks."""
        return [name for name in (*self.spine, *self.joints.values()) if name not in names]

    def select(
        self, names: Sequence[str], positions: Float[np.ndarray, "frames foreign 3"]
    ) -> Float[np.ndarray, "frames 22 3"]:
        """Our 22 joints, in metres, from the foreign joints called ``names``."""
        index = {name: i for i, name in enumerate(names)}
        line = positions[:, [index[name] for name in self.spine]]
        joints = np.empty((len(positions), NUM_JOINTS, 3))
        joints[:, joint("pelvis")] = line[:, 0]
        joints[:, joint("neck")] = line[:, -1]
        for ours, theirs in self.joints.items():
            joints[:, joint(ours)] = positions[:, index[theirs]]
        for ours, fraction in _SPINE.items():
            joints[:, joint(ours)] = _point_along(line, fraction)
        chest = joints[:, joint("spine3")]
        for side in ("left", "right"):
            shoulder = joints[:, joint(f"{side}_shoulder")]
            joints[:, joint(f"{side}_collar")] = chest + _COLLAR * (shoulder - chest)
        return joints * self.unit


def _both_sides(joints: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    return {
        f"{side}_{ours}": theirs[i]
        for ours, theirs in joints.items()
        for i, side in enumerate(("left", "right"))
    }


PROFILES = {
    # Bandai-Namco-Research-Motiondataset 1 and 2
    "bandai": Profile(
        spine=("Hips", "Spine", "Chest", "Neck"),
        joints={"head": "Head"}
        | _both_sides(
            {
                "hip": ("UpperLeg_L", "UpperLeg_R"),
                "knee": ("LowerLeg_L", "LowerLeg_R"),
                "ankle": ("Foot_L", "Foot_R"),
                "foot": ("Toes_L", "Toes_R"),
                "shoulder": ("UpperArm_L", "UpperArm_R"),
                "elbow": ("LowerArm_L", "LowerArm_R"),
                "wrist": ("Hand_L", "Hand_R"),
            }
        ),
        unit=0.01,
        t_pose_first=False,
    ),
    # CMU Graphics Lab Motion Capture Database, as converted to BVH by B. Hahne
    "cmu": Profile(
        spine=("Hips", "Spine", "Spine1", "Neck1"),
        joints={"head": "Head"}
        | _both_sides(
            {
                "hip": ("LeftUpLeg", "RightUpLeg"),
                "knee": ("LeftLeg", "RightLeg"),
                "ankle": ("LeftFoot", "RightFoot"),
                "foot": ("LeftToeBase", "RightToeBase"),
                "shoulder": ("LeftArm", "RightArm"),
                "elbow": ("LeftForeArm", "RightForeArm"),
                "wrist": ("LeftHand", "RightHand"),
            }
        ),
        unit=0.0254 / 0.45,
        t_pose_first=True,
    ),
}


def profile_named(name: str) -> Profile:
    """The profile called ``name``. Raises InputError where there is none."""
    if name not in PROFILES:
        raise InputError(f"unknown skeleton profile {name!r}: expected one of {_known()}")
    return PROFILES[name]


def profile_for(names: Sequence[str], wanted: str | None = None) -> Profile:
    """The profile that fits a skeleton of joints called ``names``: ``wanted``, or one that fits.

    Raises InputError, with the joint that is missing, where the wanted one or none fits.
    """
    candidates = PROFILES if wanted is None else {wanted: profile_named(wanted)}
    nearest = min(candidates, key=lambda name: len(candidates[name].missing(names)))
    missing = candidates[nearest].missing(names)
    if missing:
        raise InputError(
            f"no joint {missing[0]!r}, which skeleton profile {nearest!r} needs "
            f"(known profiles: {_known()}); found {', '.join(names)}"
        )
    return candidates[nearest]


def _known() -> str:
    return ", ".join(PROFILES)


def _point_along(
    line: Float[np.ndarray, "frames points 3"], fraction: float
) -> Float[np.ndarray, "frames 3"]:
    """The point at a fraction of the length of a polyline, in each frame."""
    steps = np.diff(line, axis=1)
    lengths = np.linalg.norm(steps, axis=-1)
    left = fraction * lengths.sum(axis=1)
    point = line[:, 0].copy()
    # Walk the segments, each taken as far as the length still left reaches.
    for k in range(steps.shape[1]):
        reach = np.clip(left / np.where(lengths[:, k] > 0, lengths[:, k], 1.0), 0, 1)
        point += reach[:, None] * steps[:, k]
        left = left - lengths[:, k]
    return point
