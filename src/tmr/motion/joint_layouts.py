"""Arrays of joint positions: in which order the skeletons of the field have their joints.

The number of joints tells the skeleton; where several have the same number, the one whose joints
make a human body with bones of constant length.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from tmr.errors import InputError
from tmr.motion.anatomy import check_bones, check_proportions, unit_vectors
from tmr.motion.kinematics import bones
from tmr.motion.skeleton import NUM_JOINTS, joint
from tmr.motion.skeleton_maps import (
    TOES_AHEAD,
    TOES_BELOW,
    SkeletonMap,
)
from tmr.motion.skeleton_roles import Points, Roles

_SMPL = (NUM_JOINTS, 24, 52, 55)  # the first 22 are the same
_LOOKED_AT = 64  # frames that tell skeletons apart


@dataclass(frozen=True, slots=True)
class Layout:
    """The order of joints of one skeleton. ``spine`` leads from pelvis to neck."""

    name: str
    joints: Mapping[str, Points]
    spine: tuple[Points, ...]


def _sides(**columns: tuple[int, int]) -> dict[str, Points]:
    """Our limbs from the columns of a joint on the left and on the right."""
    return {
        f"{side}_{name}": (column,)
        for name, pair in columns.items()
        for side, column in zip(("left", "right"), pair, strict=True)
    }


_COCO = _sides(
    shoulder=(5, 6), elbow=(7, 8), wrist=(9, 10), hip=(11, 12), knee=(13, 14), ankle=(15, 16)
)
_COCO_SPINE: tuple[Points, ...] = ((11, 12), (5, 6))
_KINECT = _sides(
    shoulder=(4, 8), elbow=(5, 9), wrist=(6, 10),
    hip=(12, 16), knee=(13, 17), ankle=(14, 18), foot=(15, 19),
)  # fmt: skip

LAYOUTS: dict[int, tuple[Layout, ...]] = {
    17: (
        Layout(
            "Human3.6M with 17 joints",
            {"head": (10,)}
            | _sides(
                hip=(4, 1),
                knee=(5, 2),
                ankle=(6, 3),
                shoulder=(11, 14),
                elbow=(12, 15),
                wrist=(13, 16),
            ),
            ((0,), (7,), (8,)),
        ),
        Layout("COCO with 17 joints", {"head": (3, 4)} | _COCO, _COCO_SPINE),
    ),
    20: (Layout("Kinect with 20 joints", {"head": (3,)} | _KINECT, ((0,), (1,), (2,))),),
    # Right before left, as in the indices that are published with HumanML3D.
    21: (
        Layout(
            "KIT-ML with 21 joints",
            {"head": (4,)}
            | _sides(
                hip=(16, 11),
                knee=(17, 12),
                ankle=(18, 13),
                foot=(20, 15),
                shoulder=(8, 5),
                elbow=(9, 6),
                wrist=(10, 7),
            ),
            ((0,), (1,), (2,), (3,)),
        ),
    ),
    25: (
        Layout("Kinect with 25 joints", {"head": (3,)} | _KINECT, ((0,), (1,), (20,), (2,))),
        Layout(
            "OpenPose with 25 joints",
            {"head": (17, 18)}
            | _sides(
                hip=(12, 9),
                knee=(13, 10),
                ankle=(14, 11),
                foot=(19, 22),
                shoulder=(5, 2),
                elbow=(6, 3),
                wrist=(7, 4),
            ),
            ((8,), (1,)),
        ),
    ),
    32: (
        Layout(
            "Human3.6M with 32 joints",
            {"head": (14,)}
            | _sides(
                hip=(6, 1),
                knee=(7, 2),
                ankle=(8, 3),
                foot=(9, 4),
                shoulder=(17, 25),
                elbow=(18, 26),
                wrist=(19, 27),
            ),
            ((0,), (11,), (12,), (13,)),
        ),
    ),
    133: (
        Layout(
            "COCO whole body with 133 joints",
            {"head": (3, 4), "left_foot": (17, 18), "right_foot": (20, 21)} | _COCO,
            _COCO_SPINE,
        ),
    ),
}


def select_joints(
    joints: Shaped[np.ndarray, "frames joints 3"],
) -> tuple[str, Float[np.ndarray, "frames 22 3"], tuple[str, ...]]:
    """The name of a skeleton, our 22 joints of it, and what had to be made.

    Raises:
        InputError: no known skeleton has that many joints, or none of those makes a human body.
    """
    count = joints.shape[1]
    if count in _SMPL:
        return f"SMPL with {count} joints", joints[:, :NUM_JOINTS].astype(np.float64), ()
    if count not in LAYOUTS:
        counts = ", ".join(map(str, sorted({*_SMPL, *LAYOUTS})))
        raise InputError(
            f"found an array of shape {joints.shape}, expected joint positions (frames, joints, 3) "
            f"with {counts} joints"
        )
    joints = joints.astype(np.float64)
    found, reasons = [], []
    for layout in LAYOUTS[count]:
        some = _select(layout, joints[:: 1 + len(joints) // _LOOKED_AT])
        try:
            check_bones(some)
            check_proportions(some)
        except InputError as error:
            reasons.append(f"not of {layout.name}, {error}")
        else:
            found.append((_looseness(some), layout))
    if not found:
        raise InputError(f"found {count} joints: {'; '.join(reasons)}")
    layout = min(found, key=lambda pair: pair[0])[1]
    missing = "left_foot" not in layout.joints
    warnings = ("the feet have no toes: they are put before the ankles",) if missing else ()
    return layout.name, _select(layout, joints), warnings


def _select(
    layout: Layout, positions: Float[np.ndarray, "frames joints 3"]
) -> Float[np.ndarray, "frames 22 3"]:
    roles = Roles(dict(layout.joints), list(layout.spine))
    if "left_foot" not in layout.joints:
        across = positions[:, layout.joints["left_hip"][0]]
        across = across - positions[:, layout.joints["right_hip"][0]]
        for side in ("left", "right"):
            knee, ankle = (
                positions[:, layout.joints[f"{side}_{name}"][0]] for name in ("knee", "ankle")
            )
            shin = unit_vectors(knee - ankle)
            length = 2 * np.linalg.norm(knee - ankle, axis=-1, keepdims=True)
            ahead = unit_vectors(np.cross(across, shin))
            toes = ankle + length * (TOES_AHEAD * ahead - TOES_BELOW * shin)
            roles.joints[f"{side}_foot"] = (positions.shape[1],)
            positions = np.concatenate([positions, toes[:, None]], axis=1)
    found = SkeletonMap(layout.name, roles)
    return found.select(positions[:, found.points])


def _looseness(joints: Float[np.ndarray, "frames 22 3"]) -> float:
    """How much the limbs change their length, as a part of it."""
    limbs = [joint(f"{side}_{name}") - 1 for side in ("left", "right")
             for name in ("knee", "ankle", "elbow", "wrist")]  # fmt: skip
    lengths = np.linalg.norm(bones(joints)[:, limbs], axis=-1)
    return float((lengths.std(axis=0) / lengths.mean(axis=0)).mean())
