"""Directions of a body from the positions of its joints."""

import numpy as np
from jaxtyping import Float

from tmr.motion import rotations
from tmr.motion.skeleton import PARENTS, joint

_FORWARD = np.array([0.0, 0.0, 1.0])
_PARENTS = np.array(PARENTS[1:])


def bones(joints: Float[np.ndarray, "*batch 22 3"]) -> Float[np.ndarray, "*batch 21 3"]:
    """Vectors from the parent to each of the joints 1 to 21."""
    return joints[..., 1:, :] - joints.take(_PARENTS, axis=-2)


def across(joints: Float[np.ndarray, "*batch 22 3"]) -> Float[np.ndarray, "*batch 3"]:
    """From the left to the right side of the body, over hips and shoulders."""
    hips = joints[..., joint("right_hip"), :] - joints[..., joint("left_hip"), :]
    shoulders = joints[..., joint("right_shoulder"), :] - joints[..., joint("left_shoulder"), :]
    return hips + shoulders


def heading(across: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 4"]:
    """The yaw that turns the forward direction of a body, up x ``across``, to +Z.

    Where ``across`` has no horizontal part the body counts as facing +Z.
    """
    forward = np.zeros_like(across)
    forward[..., 0] = across[..., 2]
    forward[..., 2] = -across[..., 0]
    length = np.linalg.norm(forward, axis=-1, keepdims=True)
    forward = np.where(length > 0, forward / np.where(length > 0, length, 1.0), _FORWARD)
    return rotations.between(forward, _FORWARD)
