import numpy as np

from tmr.motion.mirror import mirror_joints
from tmr.motion.skeleton import LEFT_RIGHT


def test_a_mirror_negates_x_and_swaps_the_sides():
    joints = np.random.default_rng(0).normal(size=(4, 22, 3)).astype(np.float32)
    mirrored = mirror_joints(joints)
    other = list(range(22))
    for left, right in LEFT_RIGHT:
        other[left], other[right] = right, left
    for j in range(22):
        assert np.array_equal(
            mirrored[:, j], joints[:, other[j]] * np.array([-1, 1, 1], np.float32)
        )
    assert mirrored.dtype == np.float32


def test_mirrored_twice_is_the_motion_itself():
    joints = np.random.default_rng(1).normal(size=(2, 4, 22, 3))
    assert np.array_equal(mirror_joints(mirror_joints(joints)), joints)
