import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tmr.motion import kinematics
from tmr.motion.skeleton import PARENTS, joint


def test_bones_lead_from_parent_to_child():
    joints = np.random.default_rng(3).normal(size=(4, 22, 3))
    bones = kinematics.bones(joints)
    for j in range(1, 22):
        assert np.allclose(bones[:, j - 1], joints[:, j] - joints[:, PARENTS[j]])


def test_across_points_from_left_to_right():
    joints = np.zeros((22, 3))
    joints[[joint("left_hip"), joint("left_shoulder")], 0] = 0.1, 0.2
    joints[[joint("right_hip"), joint("right_shoulder")], 0] = -0.1, -0.2
    assert np.allclose(kinematics.across(joints), [-0.6, 0, 0])


@pytest.mark.parametrize("degrees", [0, 30, 90, 179, 180, 270])
def test_heading_turns_a_person_to_face_z(degrees):
    turn = Rotation.from_euler("Y", degrees, degrees=True)
    across = turn.apply([-1.0, 0.2, 0.0])  # facing +Z, the right side is at -X
    heading = Rotation.from_quat(kinematics.heading(across), scalar_first=True)
    assert np.allclose(heading.apply(turn.apply([0, 0, 1])), [0, 0, 1], atol=1e-7)


def test_a_person_lying_on_the_side_has_a_finite_heading():
    assert kinematics.heading(np.array([0.0, 1.0, 0.0])).tolist() == [1, 0, 0, 0]
