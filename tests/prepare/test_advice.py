"""What an error advises is done as it says, and leads from nothing to a trained run."""

import json
import re

import numpy as np
import pytest

from tests.bodies import walk, walk_features
from tests.workspace import Workspace

TRAIN = (
    "python train.py data=kitml language_model=minilm model=tmr_small debug=true "
    "trainer.accelerator=cpu run_dir=outputs/first"
)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("advice"))


def refusal_of(workspace: Workspace, command: str) -> str:
    """The error by which a command refuses."""
    done = workspace.run(command)
    assert done.returncode == 2, done.stderr
    return done.stderr.strip().splitlines()[-1]


def remedy(refusal: str) -> str:
    """The first command that an error names."""
    (command, *_) = re.findall(r"`((?:python|bash) [^`]+)`", refusal)
    return command


def test_each_remedy_gets_one_further(workspace: Workspace, tmp_path) -> None:
    assert remedy(refusal_of(workspace, TRAIN)) == "bash prepare/download_annotations.sh"
    # What that fetches.
    folder = workspace.folder / "datasets" / "annotations" / "kitml"
    (folder / "splits").mkdir(parents=True)
    caption = {"seg_id": "0", "text": "a person walks", "start": 0.0, "end": 3.0}
    keys = [f"{number:05}" for number in range(6)]
    annotations = {
        key: {"path": f"KIT/3/{key}_poses", "duration": 3.0, "annotations": [caption]}
        for key in keys
    }
    (folder / "annotations.json").write_text(json.dumps(annotations))
    for split, some in (("train", keys[:4]), ("val", keys[4:])):
        (folder / "splits" / f"{split}.txt").write_text("\n".join(some))

    features = remedy(refusal_of(workspace, TRAIN))
    assert features == "python -m prepare.compute_guoh3dfeats"
    refusal = refusal_of(workspace, features)
    assert remedy(refusal).startswith("python -m prepare.import_motions source=")
    assert "datasets/motions/pose_data" in refusal
    # The other way that it names: the folder of HumanML3D's notebook, linked.
    for key in keys:
        path = tmp_path / "pose_data" / "KIT" / "3" / f"{key}_poses.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, walk(61) * np.array([-1.0, 1.0, 1.0]))
    motions = workspace.folder / "datasets" / "motions"
    motions.mkdir()
    (motions / "pose_data").symlink_to(tmp_path / "pose_data")
    assert "6 files" in workspace.succeed(features)
    made = np.load(motions / "guoh3dfeats" / "KIT" / "3" / "00000_poses.npy")
    assert made == pytest.approx(walk_features(60), abs=1e-4)

    done = workspace.succeed(TRAIN)
    extract = re.findall(r"next: (python .*)", done)
    assert extract == ["python extract.py run_dir=outputs/first"]
