import numpy as np

from tests.workspace import Workspace


def test_the_command_writes_motions_captions_and_splits(quickstart: tuple[Workspace, str]) -> None:
    workspace, printed = quickstart
    assert "train 376, val 24, test 80, all 480, nsim_test 78" in printed
    datasets = workspace.folder / "datasets"
    clips = sorted((datasets / "motions/joints/synthetic").iterdir())
    assert [clip.name for clip in clips[:2]] == ["00000.npy", "00001.npy"] and len(clips) == 240
    assert np.isfinite(np.load(clips[0])).all()
    names = {path.name for path in (datasets / "annotations/synthetic/splits").iterdir()}
    assert names == {"train.txt", "val.txt", "test.txt", "all.txt", "nsim_test.txt"}


def test_impossible_sizes_are_refused_in_one_line(quickstart: tuple[Workspace, str]) -> None:
    workspace, _ = quickstart
    refused = workspace.refuse("python -m prepare.synthesize root=none size.test=5000")
    assert refused.startswith("found motions=1800, test=5000")
    assert not (workspace.folder / "none").exists()
