"""The 263 features in float64, one formula a line: the oracle that `tmr.motion.features` is tested
against. Rotations are SciPy's. Source: Guo et al., CVPR 2022."""

from itertools import pairwise

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from tmr.motion.skeleton import BONE_LENGTHS, CHAINS, NUM_JOINTS, PARENTS, REST_DIRECTIONS

RIGHT_LEG = [5, 8]  # knee and ankle
LEFT_FOOT, RIGHT_FOOT = [7, 10], [8, 11]


def rest_pose() -> np.ndarray:
    """The reference skeleton with every bone in its rest direction, (22, 3)."""
    joints = np.zeros((NUM_JOINTS, 3))
    for j, parent in enumerate(PARENTS[1:], start=1):
        joints[j] = joints[parent] + BONE_LENGTHS[j] * REST_DIRECTIONS[j]
    return joints


def normalize(joints: np.ndarray) -> np.ndarray:
    """The clip on the reference skeleton, on the floor, starting at the origin and facing +Z."""
    bones = joints - joints[:, PARENTS]
    lengths = np.linalg.norm(bones, axis=-1, keepdims=True)
    fitted = joints * (BONE_LENGTHS[RIGHT_LEG].sum() / lengths[0, RIGHT_LEG].sum())
    for j, parent in enumerate(PARENTS[1:], start=1):
        fitted[:, j] = fitted[:, parent] + BONE_LENGTHS[j] * bones[:, j] / lengths[:, j]
    fitted[..., 1] -= fitted[..., 1].min()
    fitted[..., [0, 2]] -= fitted[0, 0, [0, 2]]
    first = fitted[:1]
    across = (first[:, 2] - first[:, 1]) + (first[:, 17] - first[:, 16])
    return _apply(heading(across), fitted)


def joints_to_features(joints: np.ndarray) -> np.ndarray:
    """Features (T-1, 263) of joints (T, 22, 3), in meters, Y up, 20 frames a second."""
    joints = normalize(joints.astype(float))
    local = inverse_kinematics(joints)
    root = local[0]
    steps = np.diff(joints, axis=0)
    around = joints - joints[:, :1] * [1, 0, 1]
    turn = (root[1:] * root[:-1].inv()).as_quat(canonical=True, scalar_first=True)
    still = (steps**2).sum(axis=-1) < 0.002
    rows = [
        np.arcsin(turn[:, 2:3]),
        _apply(root[1:], steps[:, :1])[:, 0, [0, 2]],
        joints[:-1, 0, 1:2],
        _apply(root[:-1], around[:-1, 1:]),
        np.stack([q[:-1].as_matrix()[..., :2].swapaxes(1, 2) for q in local[1:]], axis=1),
        _apply(root[:-1], steps),
        still[:, LEFT_FOOT],
        still[:, RIGHT_FOOT],
    ]
    return np.concatenate([row.reshape(len(steps), -1) for row in rows], axis=1)


def inverse_kinematics(joints: np.ndarray) -> list[Rotation]:
    """The local rotation of every joint in all frames, by a walk along the chains."""
    # Hips and shoulders are taken in opposite senses here, and must be: the published features
    # were computed so.
    root = heading((joints[:, 1] - joints[:, 2]) + (joints[:, 17] - joints[:, 16]), smooth=True)
    root = Rotation.concatenate([Rotation.identity(1), root[1:]])
    local = [root] * NUM_JOINTS
    for chain in CHAINS:
        world = root
        for parent, j in pairwise(chain):
            total = between(REST_DIRECTIONS[j], joints[:, j] - joints[:, parent])
            local[j] = world.inv() * total
            world = world * local[j]
    return local


def heading(across: np.ndarray, smooth: bool = False) -> Rotation:
    """The yaws that turn the forward direction of a body, up x ``across``, to +Z."""
    forward = np.cross([0, 1, 0], across / np.linalg.norm(across, axis=-1, keepdims=True))
    if smooth:
        forward = gaussian_filter1d(forward, 20, axis=0, mode="nearest")
    angle = np.arctan2(forward[:, 0], forward[:, 2])
    return Rotation.from_rotvec(np.outer(-angle, [0, 1, 0]))


def between(a: np.ndarray, b: np.ndarray) -> Rotation:
    """The shortest rotations that take the direction ``a`` to the directions ``b``."""
    axis = np.cross(a, b)
    sine, cosine = np.linalg.norm(axis, axis=-1), b @ a
    angle = np.arctan2(sine, cosine)
    return Rotation.from_rotvec(axis * (angle / np.where(sine > 0, sine, 1))[:, None])


def _apply(rotation: Rotation, vectors: np.ndarray) -> np.ndarray:
    """Vectors (frames or 1, joints, 3), turned by the rotation of their frame."""
    return np.einsum("fij,fkj->fki", rotation.as_matrix(), vectors)
