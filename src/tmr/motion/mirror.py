"""A motion seen in a mirror: what the left side did, the right side does."""

import numpy as np
from jaxtyping import Float

from tmr.motion.skeleton import LEFT_RIGHT, NUM_JOINTS

MIRRORED_JOINTS = np.arange(NUM_JOINTS)
for _left, _right in LEFT_RIGHT:
    MIRRORED_JOINTS[[_left, _right]] = _right, _left


def mirror_joints(joints: Float[np.ndarray, "*batch 22 3"]) -> Float[np.ndarray, "*batch 22 3"]:
    """The mirrored motion: x negated, left and right joints exchanged.

    Mirrored features are the features of mirrored joints.
    """
    return joints[..., MIRRORED_JOINTS, :] * np.array([-1, 1, 1], dtype=joints.dtype)
