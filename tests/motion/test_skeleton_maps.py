from pathlib import Path

import numpy as np
import pytest

from tests.motion.bvh_text import STANDING, standing_bvh
from tmr.errors import InputError
from tmr.motion.conventions import Overrides
from tmr.motion.read import read_motion
from tmr.motion.skeleton import JOINTS, joint
from tmr.motion.skeleton_maps import PROFILES, SkeletonMap, known_profile, profile_named

# How each family of files calls some joints: (a spine, left hip, right foot, left wrist).
NAMES = {
    "bandai": ("Chest", "UpperLeg_L", "Toes_R", "Hand_L"),
    "cmu": ("Spine1", "LeftUpLeg", "RightToeBase", "LeftHand"),
    "lafan1": ("Spine2", "LeftUpLeg", "RightToe", "LeftHand"),
    "mixamo": ("Spine2", "LeftUpLeg", "RightToeBase", "LeftHand"),
    "100style": ("Chest4", "LeftHip", "RightToe", "LeftWrist"),
    "smpl-named": ("spine3", "left_hip", "right_foot", "left_wrist"),
}
WITH_SPINE = [name for name, profile in PROFILES.items() if profile.spine]


@pytest.mark.parametrize("name", PROFILES)
def test_a_standing_person_is_found_in_every_family_of_files(tmp_path, name):
    path = tmp_path / "take.bvh"
    path.write_text(standing_bvh(PROFILES[name], frames=4))
    clip = read_motion(path)
    assert clip.reading.skeleton == name
    for ours in JOINTS:
        if ours not in ("spine1", "spine2", "spine3", "left_collar", "right_collar"):
            assert np.allclose(clip.joints[:, joint(ours)], STANDING[ours], atol=1e-6), ours
    height = clip.joints[0, [joint(f"spine{i}") for i in (1, 2, 3)], 1]
    assert (np.diff([STANDING["pelvis"][1], *height, STANDING["neck"][1]]) > 0).all()


@pytest.mark.parametrize("name", PROFILES)
def test_profiles_know_the_names_of_their_files(name):
    assert set(NAMES[name]) <= set(PROFILES[name].needed())


@pytest.mark.parametrize("name", WITH_SPINE)
def test_spine_and_collars_lie_at_the_stated_fractions(name):
    profile = PROFILES[name]
    names = ["Somewhere", *profile.needed()]
    positions = np.random.default_rng(0).normal(size=(2, len(names), 3))
    # A bent spine, 1, 2 and 1 units long: up, sideways, up.
    corners = np.array([[0, 0, 0], [0, 1, 0], [2, 1, 0], [2, 2, 0]], dtype=float)
    # Joints that are more than the corners lie on the segment across.
    extra = len(profile.spine) - len(corners)
    line = [*corners[:2], *((k / 2, 1, 0) for k in range(1, 1 + extra)), *corners[2:]]
    for corner, theirs in zip(line, profile.spine, strict=True):
        positions[:, names.index(theirs)] = corner
    found = SkeletonMap(name, profile.locate(names))
    ours = found.select(positions[:, found.points])[0]
    assert np.allclose(ours[joint("pelvis")], [0, 0, 0])
    assert np.allclose(ours[joint("spine1")], [0, 0.22 * 4, 0])
    assert np.allclose(ours[joint("spine2")], [0.48 * 4 - 1, 1, 0])
    assert np.allclose(ours[joint("spine3")], [0.59 * 4 - 1, 1, 0])
    assert np.allclose(ours[joint("neck")], [2, 2, 0])
    for side in ("left", "right"):
        shoulder, collar = ours[joint(f"{side}_shoulder")], ours[joint(f"{side}_collar")]
        assert np.allclose(collar, 0.45 * ours[joint("spine3")] + 0.55 * shoulder)


@pytest.mark.parametrize(
    "rename",
    [
        lambda name: f"mixamorig:{name}",
        lambda name: f"mixamorig1_{name}",
        lambda name: f"scene:hero:{name}",
        str.upper,
    ],
)
def test_scenes_figures_and_case_before_a_name_do_not_count(rename):
    assert known_profile([rename(name) for name in PROFILES["mixamo"].needed()]) == "mixamo"


@pytest.mark.parametrize("pattern", ["{}", "m_avg_{}", "f_avg_{}"])
def test_the_short_names_of_smpl_are_known_too(pattern):
    short = [name.replace("left_", "L_").replace("right_", "R_").capitalize() for name in JOINTS]
    assert known_profile([pattern.format(name) for name in short]) == "smpl-named"


def test_of_profiles_that_fit_the_one_with_most_joints_is_taken():
    both = [*PROFILES["mixamo"].needed(), "Neck1"]
    assert not PROFILES["cmu"].missing(both)
    assert known_profile(both) == "mixamo"


def test_a_missing_joint_is_named_with_the_profile_that_needs_it(tmp_path):
    path = tmp_path / "take.bvh"
    path.write_text(standing_bvh(PROFILES["cmu"], 4, rename={"LeftUpLeg": "Wing"}))
    with pytest.raises(InputError, match=r"no joint 'LeftUpLeg', which skeleton profile 'cmu'"):
        read_motion(path, Overrides(profile="cmu"))


def test_exact_names_count_before_those_of_another_body():
    names = PROFILES["bandai"].needed()
    others = [f"B:{name}" for name in names]
    assert PROFILES["bandai"].locate([*others, *names]).joints["head"] == (
        len(names) + names.index("Head"),
    )
    with pytest.raises(InputError, match="joint 'Hips' is there twice: expected one body"):
        PROFILES["bandai"].locate([*(f"A:{name}" for name in names), *others])


def test_an_unknown_profile_is_refused():
    with pytest.raises(InputError, match=r"unknown skeleton profile 'smpl'.*bandai, cmu"):
        profile_named("smpl")


OWN = """
spine: [Root, Back, Nape]
joints:
  head: Skull
  left_hip: LThigh
  right_hip: RThigh
  left_knee: LShin
  right_knee: RShin
  left_ankle: LFoot
  right_ankle: RFoot
  left_foot: LToe
  right_foot: RToe
  left_shoulder: LArm
  right_shoulder: RArm
  left_elbow: LFore
  right_elbow: RFore
  left_wrist: LHand
  right_wrist: RHand
unit: cm
up: z
"""


@pytest.fixture
def own(tmp_path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(OWN)
    return path


def test_a_profile_of_ones_own_reads_files_of_ones_own(own, tmp_path):
    take = tmp_path / "take.bvh"
    take.write_text(standing_bvh(profile_named(str(own)), frames=4, up="z"))
    clip = read_motion(take, Overrides(profile=str(own)))
    assert clip.reading.up == "z"
    for ours in ("pelvis", "head", "left_wrist", "right_foot"):
        assert np.allclose(clip.joints[:, joint(ours)], STANDING[ours], atol=1e-6)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  left_hip: LThigh\n", "", "no joint of theirs for left_hip"),
        ("spine:", "spline:", "expected a mapping with the keys joints, spine, unit"),
        ("spine: [Root, Back, Nape]", "", "no joint of theirs for pelvis"),
        ("left_hip:", "left_hips:", "no joint of theirs for left_hip"),
        ("head: Skull", "head: Skull\n  tail: Tail", "unknown joint 'tail'"),
        ("Skull", "7", "found 7, expected the name of a joint"),
        ("unit: cm", "unit: ell", "unknown unit 'ell'"),
        ("up: z", "up: above", "unknown up axis 'above'"),
        ("unit: cm", "unit: -1", "found unit=-1.0, expected a number above zero"),
        ("spine: [", "spine: [[", "not YAML"),
    ],
)
def test_a_faulty_profile_of_ones_own_is_refused(own, old, new, message):
    assert old in OWN
    own.write_text(OWN.replace(old, new))
    with pytest.raises(InputError, match=rf"mine\.yaml: {message}"):
        profile_named(str(own))


def test_a_profile_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"gone\.yaml: cannot be read: No such file"):
        profile_named(str(tmp_path / "gone.yaml"))
