"""Arrays of other skeletons, made from a real clip by placing its joints where theirs are."""

import numpy as np
import pytest

from tmr.errors import InputError
from tmr.motion.conventions import Overrides
from tmr.motion.inputs import as_features
from tmr.motion.joint_layouts import LAYOUTS, Layout, select_joints
from tmr.motion.preprocessing import compute_features
from tmr.motion.read import read_features, read_motion
from tmr.motion.skeleton import joint

ALL = [(count, layout) for count, layouts in LAYOUTS.items() for layout in layouts]
LIMBS = [joint(f"{side}_{name}") for side in ("left", "right")
         for name in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")]  # fmt: skip


@pytest.fixture(scope="module")
def walk(golden) -> np.ndarray:
    return golden["000002.joints"][:, :22].astype(float)


def as_layout(walk: np.ndarray, count: int, layout: Layout) -> np.ndarray:
    """The clip in the order of a skeleton; joints that are not ours lie near the head."""
    noise = np.random.default_rng(0).normal(size=(1, count, 3)) / 20
    joints = walk[:, [joint("head")]] + noise
    for ours, columns in layout.joints.items():
        joints[:, list(columns)] = walk[:, [joint(ours)]]
    line = np.linspace(0, 1, len(layout.spine))
    for share, columns in zip(line, layout.spine, strict=True):
        if len(columns) == 1:
            pelvis, neck = walk[:, [joint("pelvis")]], walk[:, [joint("neck")]]
            joints[:, list(columns)] = pelvis + share * (neck - pelvis)
    return joints


@pytest.mark.parametrize(("count", "layout"), ALL, ids=[layout.name for _, layout in ALL])
def test_the_limbs_of_every_skeleton_are_ours(tmp_path, walk, count, layout):
    np.save(tmp_path / "clip.npy", 100 * as_layout(walk, count, layout))
    take = read_motion(tmp_path / "clip.npy", Overrides(fps=20))
    assert take.reading.skeleton == layout.name
    assert np.allclose(take.joints[:, LIMBS], walk[:, LIMBS])
    for side in ("left", "right"):
        ankle, toes = (joint(f"{side}_{name}") for name in ("ankle", "foot"))
        reach, meant = (j[:, toes] - j[:, ankle] for j in (take.joints, walk))
        assert (reach * meant).sum(axis=-1).min() > 0  # before the ankle as ours are
    made = "left_foot" not in layout.joints
    assert ("no toes" in " ".join(take.warnings)) == made


@pytest.mark.parametrize(("count", "layout"), ALL, ids=[layout.name for _, layout in ALL])
def test_arrays_and_folders_of_joints_are_read_as_files_are(tmp_path, walk, count, layout):
    clip = as_layout(walk, count, layout)
    (tmp_path / "joints").mkdir()
    np.save(tmp_path / "joints" / "clip.npy", clip)
    compute_features(tmp_path / "joints", tmp_path / "features")
    features = np.load(tmp_path / "features" / "clip.npy")
    assert np.array_equal(as_features([clip])[0], features)
    read = read_features(tmp_path / "joints" / "clip.npy", Overrides(fps=20, unit=1.0))
    assert np.allclose(read, features, atol=1e-6)


def test_a_folder_of_joints_that_mean_something_else_is_said(tmp_path, walk, caplog):
    (tmp_path / "joints").mkdir()
    for i in range(3):
        np.save(tmp_path / "joints" / f"{i}.npy", walk[i:, :, [0, 2, 1]] * [1, -1, 1])
    compute_features(tmp_path / "joints", tmp_path / "features", processes=1)
    (line,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert "the body stands along z, expected y: give up='z' (to python -m prepare.import" in line


@pytest.mark.parametrize("count", [24, 52, 55])
def test_joints_of_smpl_are_the_first_22(walk, count):
    extra = np.zeros((len(walk), count - 22, 3))
    assert np.array_equal(select_joints(np.concatenate([walk, extra], axis=1))[1], walk)


def test_sides_of_a_camera_whose_axes_are_left_handed_are_refused(tmp_path, walk):
    (layout,) = LAYOUTS[20]
    np.save(tmp_path / "clip.npy", as_layout(walk, 20, layout) * [-1, 1, 1])
    with pytest.raises(InputError, match="knees and toes point backward"):
        read_motion(tmp_path / "clip.npy", Overrides(fps=30))


@pytest.mark.parametrize(
    ("shape", "message"),
    [((9, 23, 3), "with 17, 20, 21, 22, 24, 25, 32, 52, 55, 133 joints"),
     ((9, 32, 3), "found 32 joints: not of Human3.6M with 32 joints, "),
     ((9, 25, 3), "not of Kinect with 25 joints, .*; not of OpenPose with 25 joints, ")],
)  # fmt: skip
def test_joints_of_no_skeleton_are_refused_by_name(tmp_path, shape, message):
    np.save(tmp_path / "clip.npy", np.random.default_rng(0).normal(size=shape))
    for read in (read_motion, read_features):
        with pytest.raises(InputError, match=message):
            read(tmp_path / "clip.npy")
