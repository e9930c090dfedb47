from itertools import pairwise

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from tmr.motion import kinematics
from tmr.motion.skeleton import BONE_LENGTHS, CHAINS, PARENTS, REST_DIRECTIONS


@pytest.fixture
def poses() -> np.ndarray:
    return np.random.default_rng(3).normal(size=(30, 22, 3))


def shortest(a, b):
    """The rotation from a to b by axis and angle."""
    axis = np.cross(a, b)
    angle = np.arctan2(np.linalg.norm(axis), a @ b)
    return Rotation.from_rotvec(angle * axis / np.linalg.norm(axis))


def walk(joints, smooth):
    """Inverse kinematics one frame and one bone at a time, as the method is described."""
    across = joints[:, 1] - joints[:, 2] + joints[:, 17] - joints[:, 16]
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    forward = np.cross([0, 1, 0], across)
    if smooth:
        forward = gaussian_filter1d(forward, 20, axis=0, mode="nearest")
    found = []
    for t, frame in enumerate(joints):
        root = Rotation.identity()
        if t > 0:
            root = shortest(forward[t] / np.linalg.norm(forward[t]), np.array([0, 0, 1.0]))
        local: list[Rotation] = [root] * 22
        for chain in CHAINS:
            whole = root
            for parent, j in pairwise(chain):
                bone = frame[j] - frame[parent]
                local[j] = whole.inv() * shortest(REST_DIRECTIONS[j], bone / np.linalg.norm(bone))
                whole = whole * local[j]
        found.append(local)
    return found


@pytest.mark.parametrize("smooth", [True, False])
def test_inverse_kinematics_agrees_with_a_walk_along_the_chains(poses, smooth):
    ours = kinematics.inverse_kinematics(poses, smooth)
    for q, local in zip(ours, walk(poses, smooth), strict=True):
        theirs = np.array([rotation.as_matrix() for rotation in local])
        assert np.allclose(Rotation.from_quat(q, scalar_first=True).as_matrix(), theirs)


def test_forward_undoes_inverse_kinematics(poses):
    lengths = np.abs(np.random.default_rng(4).normal(size=22)) + 0.1
    lengths[0] = 0
    joints = kinematics.resize(poses, lengths)
    local = kinematics.inverse_kinematics(joints, smooth=True)
    assert np.allclose(kinematics.forward_kinematics(joints[:, 0], local, lengths), joints)


def test_resize_is_inverse_then_forward_kinematics_with_the_path_scaled_by_the_leg(poses):
    def length(j):
        return np.linalg.norm(poses[0, j] - poses[0, PARENTS[j]])

    scale = (BONE_LENGTHS[5] + BONE_LENGTHS[8]) / (length(5) + length(8))
    local = kinematics.inverse_kinematics(poses, smooth=False)
    expected = kinematics.forward_kinematics(scale * poses[:, 0], local)
    assert np.allclose(kinematics.resize(poses), expected)


@pytest.mark.parametrize("degrees", [0, 30, 90, 179, 180, 270])
def test_heading_turns_a_person_to_face_z(degrees):
    turn = Rotation.from_euler("Y", degrees, degrees=True)
    across = turn.apply([-1.0, 0.2, 0.0])  # facing +Z, the right side is at -X
    heading = Rotation.from_quat(kinematics.heading(across), scalar_first=True)
    assert np.allclose(heading.apply(turn.apply([0, 0, 1])), [0, 0, 1], atol=1e-7)


def test_a_person_lying_on_the_side_has_a_finite_heading():
    assert kinematics.heading(np.array([0.0, 1.0, 0.0])).tolist() == [1, 0, 0, 0]
