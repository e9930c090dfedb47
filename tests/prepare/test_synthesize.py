import numpy as np
import pytest

from tests.workspace import Workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("synthesize"))


def test_the_command_writes_motions_captions_and_splits(workspace):
    printed = workspace.succeed(
        "python -m prepare.synthesize size.motions=220 size.test=5 size.val=3 processes=1"
    )
    assert "train 424, val 6, test 10, all 440, nsim_test 10" in printed
    datasets = workspace.folder / "datasets"
    clips = sorted((datasets / "motions/joints/synthetic").iterdir())
    assert [clip.name for clip in clips[:2]] == ["00000.npy", "00001.npy"] and len(clips) == 220
    assert np.isfinite(np.load(clips[0])).all()
    names = {path.name for path in (datasets / "annotations/synthetic/splits").iterdir()}
    assert names == {"train.txt", "val.txt", "test.txt", "all.txt", "nsim_test.txt"}


def test_impossible_sizes_are_refused_in_one_line(workspace):
    refused = workspace.refuse("python -m prepare.synthesize root=none size.test=5000")
    assert refused.startswith("found motions=1800, test=5000")
    assert not (workspace.folder / "none").exists()
