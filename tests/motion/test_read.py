import numpy as np
import pytest

from tests.motion.bvh_text import cmu_person, person_bvh
from tests.motion.conftest import GOLDEN_BANDAI
from tmr.errors import InputError
from tmr.motion.conventions import NoMotion, Overrides
from tmr.motion.read import read_motion
from tmr.motion.skeleton import joint


@pytest.mark.parametrize("name", GOLDEN_BANDAI)
@pytest.mark.parametrize("profile", ["bandai", None])
def test_bandai_files_give_the_golden_joints(bandai_bvh, golden, name, profile):
    ours = read_motion(bandai_bvh / f"{name}.bvh", Overrides(profile)).joints
    reference = golden[f"{name}.joints"]
    assert ours.shape == reference.shape
    assert np.abs(ours - reference).max() < 1e-6


def test_a_person_at_known_places_is_read_in_meters(tmp_path):
    path = tmp_path / "walk.bvh"
    path.write_text(person_bvh([(0, 90, 3 * t) for t in range(7)]))
    joints = read_motion(path).joints
    assert joints.shape == (5, 22, 3)
    # 3 cm a frame at 30 frames a second are 4.5 cm a frame at 20.
    assert np.allclose(joints[:, joint("pelvis")], [(0, 0.9, 0.045 * t) for t in range(5)])
    assert np.allclose(joints[0, joint("left_shoulder")], [0.2, 1.35, 0])
    assert np.allclose(joints[0, joint("right_wrist")], [-0.2, 0.85, 0])


def test_the_t_pose_of_a_cmu_file_is_not_part_of_the_motion(tmp_path):
    path = tmp_path / "take.bvh"
    places = [(9, 99, 9)] + [(0, 90, t / 6) for t in range(7)]
    path.write_text(person_bvh(places, cmu_person(), frame_time=".0083333"))
    joints = read_motion(path, Overrides("cmu")).joints
    assert np.allclose(joints[:, joint("pelvis")], [(0, 0.9, 0), (0, 0.9, 0.01)])


def test_a_cmu_file_with_a_t_pose_alone_is_refused(tmp_path):
    path = tmp_path / "take.bvh"
    path.write_text(person_bvh([(9, 99, 9)], cmu_person()))
    with pytest.raises(NoMotion, match=r"take\.bvh: holds a T-pose and no motion"):
        read_motion(path)


def test_an_unknown_joint_is_refused_with_the_file(tmp_path):
    path = tmp_path / "take.bvh"
    path.write_text(person_bvh([(0, 90, 0)] * 3).replace("UpperArm_L", "Wing_L"))
    with pytest.raises(InputError, match=r"take\.bvh: the arms are not alike: 'Wing_L'"):
        read_motion(path)


def test_a_file_of_another_kind_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"expected a motion file \(\.bvh, \.amc"):
        read_motion(tmp_path / "take.abc")
