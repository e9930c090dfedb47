"""Joint positions to joint rotations along the skeleton, and back (Guo et al., CVPR 2022).

A local rotation is relative to the forerunner of its joint: the joint before it on its chain, or
the pelvis for the first bone of every chain. So the arms, which start at spine3, still count from
the pelvis: the features of HumanML3D are made this way.
"""

from itertools import pairwise

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d

from tmr.motion import rotations
from tmr.motion.skeleton import (
    BONE_LENGTHS,
    CHAINS,
    NUM_JOINTS,
    PARENTS,
    REST_DIRECTIONS,
    joint,
)

_FORWARD = np.array([0.0, 0.0, 1.0])
SMOOTHING_SIGMA = 20  # frames
_PARENTS = np.array(PARENTS[1:])
_FORERUNNER = {j: before for chain in CHAINS for before, j in pairwise((0, *chain[1:]))}
_FORERUNNERS = np.array([_FORERUNNER[j] for j in range(1, NUM_JOINTS)])


def bones(joints: Float[np.ndarray, "*batch 22 3"]) -> Float[np.ndarray, "*batch 21 3"]:
    """Vectors from the parent to each of the joints 1 to 21."""
    return joints[..., 1:, :] - joints.take(_PARENTS, axis=-2)


def across(joints: Float[np.ndarray, "*batch 22 3"]) -> Float[np.ndarray, "*batch 3"]:
    """From the left to the right side of the body: hips and shoulders taken in the same sense."""
    return _from_left_to_right(joints, "hip") + _from_left_to_right(joints, "shoulder")


def heading(
    across: Float[np.ndarray, "*batch 3"], smooth: bool = False
) -> Float[np.ndarray, "*batch 4"]:
    """The yaw that turns the forward direction of a body, up x ``across``, to +Z.

    With ``smooth`` the forward direction is first smoothed over time, the first axis, by a
    Gaussian of 20 frames whose edge frames are repeated. Where ``across`` has no horizontal part
    the body counts as facing +Z.
    """
    forward = np.zeros_like(across)
    forward[..., 0] = across[..., 2]
    forward[..., 2] = -across[..., 0]
    forward = _normalized(forward, np.linalg.norm(across, axis=-1, keepdims=True))
    if smooth:
        forward = gaussian_filter1d(forward, SMOOTHING_SIGMA, axis=0, mode="nearest")
    length = np.linalg.norm(forward, axis=-1, keepdims=True)
    forward = np.where(length > 0, _normalized(forward, length), _FORWARD)
    return rotations.between(forward, _FORWARD)


def inverse_kinematics(
    joints: Float[np.ndarray, "frames 22 3"], smooth: bool
) -> Float[np.ndarray, "frames 22 4"]:
    """Local rotation of every joint; that of the pelvis turns the body's heading to +Z.

    The pelvis of frame 0 has the identity. The shortest rotation from the rest direction of a
    bone to its actual one is the whole rotation of that bone, so no walk along the chain is
    needed: the local rotation is what is left of it after that of the forerunner is undone.
    """
    # Hips and shoulders are taken in opposite senses here, and must be: the published features
    # were computed so.
    across = _from_left_to_right(joints, "shoulder") - _from_left_to_right(joints, "hip")
    whole = np.empty((*joints.shape[:-1], 4))
    whole[:, 0] = heading(across, smooth)
    whole[0, 0] = rotations.IDENTITY
    directions = bones(joints)
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    whole[:, 1:] = rotations.between(REST_DIRECTIONS[1:], directions)
    local = whole.copy()
    local[:, 1:] = rotations.multiply(
        rotations.inverse(whole.take(_FORERUNNERS, axis=1)), whole[:, 1:]
    )
    return local


def forward_kinematics(
    root: Float[np.ndarray, "*batch 3"],
    local: Float[np.ndarray, "*batch 22 4"],
    lengths: Float[np.ndarray, " 22"] = BONE_LENGTHS,
) -> Float[np.ndarray, "*batch 22 3"]:
    """Joint positions of a skeleton with the given bone lengths, pelvis at ``root``."""
    whole = local.copy()
    joints = np.empty((*local.shape[:-1], 3))
    joints[..., 0, :] = root
    for chain in CHAINS:
        for before, j in pairwise(chain):
            whole[..., j, :] = rotations.multiply(whole[..., _FORERUNNER[j], :], local[..., j, :])
            bone = rotations.rotate(whole[..., j, :], lengths[j] * REST_DIRECTIONS[j])
            joints[..., j, :] = joints[..., before, :] + bone
    return joints


def resize(
    joints: Float[np.ndarray, "frames 22 3"], lengths: Float[np.ndarray, " 22"] = BONE_LENGTHS
) -> Float[np.ndarray, "frames 22 3"]:
    """The same poses on a skeleton with other bone lengths; the path is scaled by the leg length.

    Same as inverse and then forward kinematics, in which every bone keeps its direction. The leg
    is right knee and ankle, measured in frame 0.
    """
    directions = bones(joints)
    found = np.linalg.norm(directions, axis=-1)
    leg = [joint("right_knee"), joint("right_ankle")]
    scale = lengths[leg].sum() / found[0, np.array(leg) - 1].sum()
    directions *= (lengths[1:] / found)[..., None]
    resized = np.empty_like(directions, shape=joints.shape)
    resized[:, 0] = scale * joints[:, 0]
    for j, parent in enumerate(PARENTS[1:], start=1):
        resized[:, j] = resized[:, parent] + directions[:, j - 1]
    return resized


def _from_left_to_right(joints: np.ndarray, name: str) -> np.ndarray:
    return joints[..., joint(f"right_{name}"), :] - joints[..., joint(f"left_{name}"), :]


def _normalized(vectors: np.ndarray, length: np.ndarray) -> np.ndarray:
    return vectors / np.where(length > 0, length, 1.0)
