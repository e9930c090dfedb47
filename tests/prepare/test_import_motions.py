import numpy as np
import pytest

from tests.motion.bvh_text import person_bvh
from tests.workspace import Workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    workspace = Workspace(tmp_path_factory.mktemp("import_motions"))
    (workspace.folder / "takes").mkdir()
    take = person_bvh([(0, 90, 3 * t) for t in range(31)])
    (workspace.folder / "takes" / "walk.bvh").write_text(take)
    return workspace


def test_takes_become_joints_of_the_named_data_set(workspace):
    command = "python -m prepare.import_motions source=takes name=mine up=y fps=30 unit=cm"
    printed = workspace.succeed(command)
    reading = "skeleton bandai, 1 unit = 0.01 m, y up, right-handed, 30 fps"
    assert f"import: 1 files read as {reading}" in printed
    assert "import: 1 files with 21 frames written" in printed
    joints = np.load(workspace.folder / "datasets/motions/joints/mine/walk.npy")
    assert joints.shape == (21, 22, 3)
    assert np.allclose(joints[20, 0], [0, 0.9, 0.9])


def test_bad_input_is_refused_in_one_line(workspace):
    command = "python -m prepare.import_motions name=other source="
    assert workspace.refuse(command + "gone").startswith("no folder gone: give the folder")
    refused = workspace.refuse(command + "takes profile=robot")
    assert refused.startswith("unknown skeleton profile 'robot': expected one of bandai, cmu, ")
