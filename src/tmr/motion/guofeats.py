"""The 263 features of HumanML3D ("guoh3dfeats") from joint positions, and back.

Source: Guo et al., "Generating Diverse and Natural 3D Human Motions from Text", CVPR 2022. A row
describes one frame and the step to the next, so T frames of joints make T-1 rows.
"""

import numpy as np
from jaxtyping import Float

from tmr.errors import InputError
from tmr.motion import kinematics, rotations
from tmr.motion.skeleton import BONE_LENGTHS, JOINTS, NUM_JOINTS, joint

NUM_FEATURES = 263

# Columns of a row of features.
TURN_RATE = slice(0, 1)  # half the turn about +Y, radians a frame
ROOT_VELOCITY = slice(1, 3)  # x and z, meters a frame, seen from the heading of the body
ROOT_HEIGHT = slice(3, 4)  # meters
POSITIONS = slice(4, 67)  # joints 1 to 21 around the point below the pelvis, heading undone
ROTATIONS = slice(67, 193)  # joints 1 to 21, two columns of the local rotation matrix
VELOCITIES = slice(193, 259)  # joints 0 to 21, meters a frame, heading undone
CONTACTS = slice(259, 263)  # left ankle and toes, right ankle and toes: 1.0 when they stand still

CONTACT_JOINTS = [joint(name) for name in ("left_ankle", "left_foot", "right_ankle", "right_foot")]
CONTACT_THRESHOLD = 0.002  # square meters a frame


def checked_joints(joints: np.ndarray) -> Float[np.ndarray, "frames 22 3"]:
    """The first 22 joints of a clip as float64.

    Raises InputError when they cannot be turned into features: wrong shape or type, fewer than
    two frames, a value that is not finite, or a joint in the same place as its parent.
    """
    if joints.ndim != 3 or joints.shape[1] < NUM_JOINTS or joints.shape[2] != 3:
        raise InputError(
            f"found an array of shape {joints.shape}, expected joint positions (frames, 22, 3)"
        )
    if len(joints) < 2:
        raise InputError(f"found {len(joints)} frame(s), expected at least 2: features need steps")
    if joints.dtype.kind not in "fiu":
        raise InputError(f"found values of type {joints.dtype}, expected numbers")
    joints = joints[:, :NUM_JOINTS].astype(np.float64)
    finite = np.isfinite(joints)
    if not finite.all():
        frame, which, _ = np.argwhere(~finite)[0]
        raise InputError(f"frame {frame}: the position of {JOINTS[which]} is NaN or infinite")
    collapsed = np.argwhere(~kinematics.bones(joints).any(axis=-1))
    if len(collapsed):
        frame, bone = collapsed[0]
        raise InputError(f"frame {frame}: {JOINTS[bone + 1]} is in the same place as its parent")
    return joints


def normalize(joints: Float[np.ndarray, "frames 22 3"]) -> Float[np.ndarray, "frames 22 3"]:
    """The clip on the reference skeleton, on the floor, starting at the origin and facing +Z."""
    joints = kinematics.resize(joints, BONE_LENGTHS)
    joints[..., 1] -= joints[..., 1].min()
    joints[..., [0, 2]] -= joints[0, 0, [0, 2]]
    return rotations.rotate_by_yaw(kinematics.heading(kinematics.across(joints[0])), joints)


def joints_to_features(joints: np.ndarray) -> Float[np.ndarray, "steps 263"]:
    """Features of a clip of T frames: float64 (T-1, 263).

    ``joints`` is (T, 22 or more, 3) in meters, Y up, at 20 frames a second; joints behind the
    first 22 are ignored. Size, place and heading of the clip do not matter. Raises InputError
    for what :func:`checked_joints` refuses.
    """
    joints = normalize(checked_joints(joints))
    local = kinematics.inverse_kinematics(joints, smooth=True)
    root = local[:, 0]
    steps = np.diff(joints, axis=0)
    upcoming = root[1:]
    turn = rotations.multiply(upcoming, rotations.inverse(root[:-1]))
    around = joints[:-1].copy()
    around[..., [0, 2]] -= joints[:-1, :1, [0, 2]]
    heading = root[:-1, None]

    features = np.empty((len(steps), NUM_FEATURES))
    features[:, TURN_RATE] = np.arcsin(np.clip(turn[:, 2:3], -1, 1))
    features[:, ROOT_VELOCITY] = rotations.rotate_by_yaw(upcoming, steps[:, 0])[:, [0, 2]]
    features[:, ROOT_HEIGHT] = joints[:-1, 0, 1:2]
    features[:, POSITIONS] = _flat(rotations.rotate_by_yaw(heading, around[:, 1:]))
    features[:, ROTATIONS] = _flat(rotations.to_6d(local[:-1, 1:]))
    features[:, VELOCITIES] = _flat(rotations.rotate_by_yaw(heading, steps))
    feet = steps[:, CONTACT_JOINTS]
    features[:, CONTACTS] = np.einsum("fjk,fjk->fj", feet, feet) < CONTACT_THRESHOLD
    return features


def features_to_joints(
    features: Float[np.ndarray, "*batch frames 263"],
) -> Float[np.ndarray, "*batch frames 22 3"]:
    """Joint positions in meters, Y up, from features: the pelvis starts above the origin.

    Positions come from the position columns and the path of the root; rotations, velocities and
    contacts are not used.
    """
    features = features.astype(np.float64)
    rate = features[..., TURN_RATE][..., 0]
    to_world = rotations.inverse(rotations.yaw(_sum_before(rate, axis=-1)))
    planar = np.zeros((*rate.shape, 3))
    planar[..., [0, 2]] = features[..., ROOT_VELOCITY]
    # A step is seen from the heading after it, so it belongs to the next frame.
    planar[..., 1:, :] = rotations.rotate_by_yaw(to_world[..., 1:, :], planar[..., :-1, :])
    planar[..., 0, :] = 0
    path = np.cumsum(planar, axis=-2)

    joints = np.empty((*rate.shape, NUM_JOINTS, 3))
    joints[..., 0, :] = path
    joints[..., 0, 1] = features[..., ROOT_HEIGHT][..., 0]
    around = features[..., POSITIONS].reshape(*rate.shape, NUM_JOINTS - 1, 3)
    joints[..., 1:, :] = (
        rotations.rotate_by_yaw(to_world[..., None, :], around) + path[..., None, :]
    )
    return joints


def _sum_before(values: np.ndarray, axis: int) -> np.ndarray:
    return np.cumsum(values, axis=axis) - values


def _flat(values: Float[np.ndarray, "frames joints k"]) -> Float[np.ndarray, "frames joints*k"]:
    return values.reshape(len(values), -1)
