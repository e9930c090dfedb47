"""Recordings of a real clip, told in other units, axes and sides, must become the same clip."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tmr.errors import InputError
from tmr.motion.anatomy import stature
from tmr.motion.conventions import UNITS, Overrides, up_axis
from tmr.motion.mirror import MIRRORED_JOINTS
from tmr.motion.read import read_motion
from tmr.motion.skeleton import BONE_LENGTHS, joint

# A proper rotation that brings Y up to each axis.
UPRIGHT = {
    "x": ("Z", -90), "y": ("X", 0), "z": ("X", 90),
    "-x": ("Z", 90), "-y": ("X", 180), "-z": ("X", -90),
}  # fmt: skip


@pytest.fixture(scope="module")
def walk(golden) -> np.ndarray:
    return golden["000002.joints"][:, :22].astype(float)


@pytest.fixture
def read(tmp_path):
    def read(joints: np.ndarray, overrides: Overrides):
        np.save(tmp_path / "clip.npy", joints)
        return read_motion(tmp_path / "clip.npy", overrides)

    return read


@pytest.mark.parametrize("up", UPRIGHT)
@pytest.mark.parametrize("unit", UNITS)
def test_every_unit_and_up_axis_is_found(read, walk, up, unit):
    rotation = Rotation.from_euler(*UPRIGHT[up], degrees=True)
    told = rotation.apply(walk.reshape(-1, 3)).reshape(walk.shape) / UNITS[unit]
    assert np.argmax(np.abs(rotation.apply([0, 1, 0]))) == "xyz".index(up[-1])
    clip = read(told, Overrides(fps=20))
    assert (clip.reading.up, clip.reading.unit) == (up, UNITS[unit])
    assert clip.warnings == ()
    # Up is known, where it came from around it is not: compare up to a turn.
    assert np.allclose(clip.joints[..., 1], walk[..., 1])
    before, after = (joints[0] - joints[0, 0] for joints in (walk, clip.joints))
    turn = Rotation.align_vectors(before, after)[0]
    assert np.allclose(turn.apply(after), before, atol=1e-5)
    assert np.allclose(turn.apply([0, 1, 0]), [0, 1, 0])


def test_what_is_said_counts_before_what_is_found(read, walk):
    clip = read(walk, Overrides(fps=40, unit=0.9, up="y", handedness="right"))
    assert np.allclose(clip.joints, 0.9 * walk[::2][: len(clip.joints)])
    assert str(clip.reading) == (
        "skeleton SMPL with 22 joints, 1 unit = 0.9 m, y up, right-handed, 40 fps"
    )


@pytest.mark.parametrize("joints", [22, 24, 52])
def test_joints_behind_the_first_22_are_left_out(read, walk, joints):
    extra = np.zeros((len(walk), joints - 22, 3))
    clip = read(np.concatenate([walk, extra], axis=1), Overrides(fps=20))
    assert np.array_equal(clip.joints, walk)


def test_left_handed_axes_are_refused_and_read_when_said(read, walk):
    told = walk * [1, 1, -1]
    with pytest.raises(InputError, match=r"knees and toes point backward.*give handedness=left"):
        read(told, Overrides(fps=20))
    clip = read(told, Overrides(fps=20, handedness="left"))
    turned = clip.joints * [-1, 1, -1]
    assert np.allclose(turned, walk)


def test_exchanged_sides_are_refused(read, walk):
    with pytest.raises(InputError, match="left and right are exchanged"):
        read(walk[:, MIRRORED_JOINTS], Overrides(fps=20))
    warnings = read(walk, Overrides(fps=20, handedness="left")).warnings
    assert warnings == ("knees and toes point backward; is the handedness right?",)


def test_a_walk_backward_is_noted_where_feet_and_knees_say_nothing(read):
    stick = np.zeros((60, 22, 3))
    legs = {"hip": 0.9, "knee": 0.5, "ankle": 0.1, "foot": 0.0}
    arms = {"collar": 1.35, "shoulder": 1.4, "elbow": 1.1, "wrist": 0.8}
    for name, height in (legs | arms).items():
        for side, x in (("left", 0.1), ("right", -0.1)):
            wide = 2 * x if name in arms else x
            stick[:, joint(f"{side}_{name}")] = (wide, height, 0)
    for name, height in {
        "pelvis": 0.95, "spine1": 1.0, "spine2": 1.1, "spine3": 1.2, "neck": 1.4, "head": 1.6
    }.items():  # fmt: skip
        stick[:, joint(name)] = (0, height, 0)
    for direction, noted in ((1, False), (-1, True)):
        moving = stick + direction * np.linspace(0, 2, 60)[:, None, None] * [0, 0, 1]
        clip = read(moving, Overrides(fps=20))
        assert ("the walk goes backward" in " ".join(clip.warnings)) == noted


def test_bodies_that_lie_jump_or_climb_are_noted(read, walk):
    lying = walk[..., [0, 2, 1]] * [1, -1, 1]
    assert "lying throughout" in " ".join(read(lying, Overrides(fps=20, up="y")).warnings)
    head_down = walk * [1, -1, -1]
    assert "upside down throughout" in " ".join(read(head_down, Overrides(fps=20, up="y")).warnings)
    jump = walk.copy()
    jump[30:] += [9, 0, 0]
    warnings = read(jump, Overrides(fps=20)).warnings
    assert [note.split(" at")[0] for note in warnings] == ["the pelvis jumps"]
    assert warnings[0].endswith("in frame 30")
    climb = walk + np.linspace(0, 9, len(walk))[:, None, None] * [0, 1, 0]
    assert "the floor moves" in " ".join(read(climb, Overrides(fps=20)).warnings)


@pytest.mark.parametrize(
    ("change", "overrides", "message"),
    [
        (lambda j: j, Overrides(), "does not say its frame rate: give it as fps=NUMBER"),
        (lambda j: j, Overrides(fps=20, unit="cm"), r"a person is 0\.0\d+ m long"),
        (lambda j: j[:, :21], Overrides(fps=20), "found 21 joints: not of KIT-ML with 21 joints"),
        (lambda j: j.reshape(len(j), -1), Overrides(fps=20), "expected joint positions"),
        (lambda j: j.astype(str), Overrides(fps=20), "expected numbers"),
        (lambda j: np.where(j == j[3, 7], np.nan, j), Overrides(fps=20), "left_ankle is NaN"),
        (lambda j: np.random.default_rng(0).normal(size=j.shape), Overrides(fps=20),
         "bones change their length by"),
        (lambda j: j * 0, Overrides(fps=20), "left_hip is in the same place as its parent"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(read, walk, change, overrides, message):
    with pytest.raises(InputError, match=rf"clip\.npy: .*{message}"):
        read(change(walk), overrides)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"unit": "yard"}, "unknown unit 'yard': expected meters or one of mm, cm"),
        ({"up": "w"}, "unknown up axis 'w': expected one of x, y, z, -x"),
        ({"handedness": "both"}, "unknown handedness 'both': expected one of right, left"),
        ({"fps": 0}, "found fps=0"),
        ({"fps": float("nan")}, "found fps=nan"),
        ({"unit": -2}, "found unit=-2"),
    ],
)
def test_conventions_that_make_no_sense_are_refused(overrides, message):
    with pytest.raises(InputError, match=message):
        Overrides(**overrides)


def test_pose_data_of_humanml3d_is_turned_back(tmp_path, walk):
    for part, told in {"ACCAD": walk * [-1, 1, 1], "humanact12": walk}.items():
        folder = tmp_path / "pose_data" / part
        folder.mkdir(parents=True)
        np.save(folder / "clip.npy", told)
        assert np.allclose(read_motion(Path(folder, "clip.npy")).joints, walk)


def test_stature_is_measured_along_legs_and_spine(walk):
    length = dict(zip(range(22), BONE_LENGTHS, strict=True))
    legs = (length[4] + length[7] + length[5] + length[8]) / 2
    expected = legs + sum(length[j] for j in (3, 6, 9, 12, 15))
    assert stature(walk) == pytest.approx(expected, rel=0.1)
    assert stature(3 * walk) == pytest.approx(3 * stature(walk))


def test_a_body_that_lies_is_left_lying_where_the_rest_pose_or_the_floor_tells(walk):
    lying = walk[:9, :, [0, 2, 1]] * [1, -1, 1] / 1.48
    lying -= [0, lying[..., 1].min(), -3]
    warnings: list[str] = []
    assert up_axis(lying, walk[0], warnings) == "y"
    assert up_axis(lying, None, warnings) == "y"
    assert [warning[:9] for warning in warnings] == ["read y up"] * 2
    # Where the rest pose has all bones along one axis, the motion counts.
    bones = np.zeros((22, 3))
    bones[:, 0] = np.arange(22)
    assert up_axis(walk, bones, warnings) == "y"
    assert up_axis(walk[..., [0, 2, 1]] * [1, -1, 1], bones, warnings) == "z"
    assert len(warnings) == 2


def test_a_body_that_no_usual_unit_makes_a_human_is_made_one(read, walk):
    take = read(walk / 30, Overrides(fps=20))
    assert stature(take.joints) == pytest.approx(1.48, abs=0.01)
    assert take.warnings[0].startswith("no usual unit makes a human of a body")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"left_elbow": 3, "right_elbow": 3}, "upper arm of .* times the forearm"),
        ({"left_knee": 1.9}, "the left thigh is .* times as long as the right one"),
        ({"head": 4}, "found a neck of .* times the trunk"),
    ],
)
def test_proportions_of_no_human_are_refused(read, walk, change, message):
    changed = walk.copy()
    for name, factor in change.items():
        parent = joint({"knee": f"{name[:-4]}hip", "elbow": f"{name[:-5]}shoulder"}.get(
            name.rpartition("_")[2], "spine3"))  # fmt: skip
        bone = changed[:, joint(name)] - changed[:, parent]
        changed[:, joint(name)] = changed[:, parent] + factor * bone
    with pytest.raises(InputError, match=message):
        read(changed, Overrides(fps=20))


def test_a_seated_bend_is_not_taken_for_left_handed_axes(read):
    limbs = {
        "hip": (0.09, 0.1, 0), "knee": (0.09, 0.12, 0.4), "ankle": (0.09, 0.1, 0.8),
        "foot": (0.09, 0.23, 0.83), "collar": (0.08, 0.25, 0.4), "shoulder": (0.18, 0.24, 0.45),
        "elbow": (0.2, 0.15, 0.7), "wrist": (0.15, 0.15, 0.95),
    }  # fmt: skip
    trunk = {
        "pelvis": (0, 0.1, 0), "spine1": (0, 0.15, 0.1), "spine2": (0, 0.2, 0.22),
        "spine3": (0, 0.22, 0.28), "neck": (0, 0.25, 0.5), "head": (0, 0.22, 0.6),
    }  # fmt: skip
    seated = np.zeros((9, 22, 3))
    for name, place in trunk.items():
        seated[:, joint(name)] = place
    for name, (x, y, z) in limbs.items():
        seated[:, joint(f"left_{name}")] = (x, y, z)
        seated[:, joint(f"right_{name}")] = (-x, y, z)
    assert np.allclose(read(seated, Overrides(fps=20, up="y")).joints, seated)
    with pytest.raises(InputError, match="left-handed"):
        read(seated * [-1, 1, 1], Overrides(fps=20, up="y"))
