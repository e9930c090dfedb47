import numpy as np
import pytest

from tests.workspace import Workspace
from tmr.motion.features import joints_to_features
from tmr.motion.manifest import MANIFEST


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("compute_guoh3dfeats"))


def test_joints_become_features_and_mirrored_features(workspace):
    joints = np.random.default_rng(0).normal(size=(12, 22, 3)).astype(np.float32)
    motions = workspace.folder / "datasets" / "motions"
    (motions / "joints" / "mine").mkdir(parents=True)
    np.save(motions / "joints" / "mine" / "clip.npy", joints)
    printed = workspace.succeed("python -m prepare.compute_guoh3dfeats name=mine")
    assert "compute features: 1 files with 11 frames written" in printed
    features = np.load(motions / "guoh3dfeats" / "mine" / "clip.npy")
    assert np.array_equal(features, joints_to_features(joints))
    assert (motions / "guoh3dfeats" / "M" / "mine" / "clip.npy").is_file()


def test_a_file_with_nan_is_refused_in_one_line_and_reported(workspace):
    joints = np.random.default_rng(0).normal(size=(12, 22, 3))
    joints[7, 20] = np.nan
    folder = workspace.folder / "datasets" / "motions" / "joints" / "damaged"
    folder.mkdir(parents=True)
    np.save(folder / "clip.npy", joints)
    before = workspace.files()
    done = workspace.run("python -m prepare.compute_guoh3dfeats name=damaged")
    assert done.returncode == 2
    (refused,) = done.stderr.strip().splitlines()
    assert "1 of 1 files could not be used" in refused
    assert "clip.npy: frame 7: the position of left_wrist is NaN" in refused
    (report,) = {path for path in workspace.files() - before if path.name != MANIFEST}
    assert report == workspace.folder / "datasets/motions/guoh3dfeats/damaged/skipped.csv"
    assert "clip.npy,frame 7: the position of left_wrist is NaN" in report.read_text()
