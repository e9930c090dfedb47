"""The commands check and nsim_split, on the prepared data of the quickstart."""

import pytest
from matplotlib.image import imread

from tests.workspace import Workspace
from tmr.data import TextMotionData, read_split
from tmr.data.nsim_split import nsim_split
from tmr.errors import InputError
from tmr.text import EmbeddingCache, TextModel

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
MODEL = TextModel("minilm", MINILM, MINILM, 384)

EMBEDDED = "data=synthetic language_model=minilm"


def test_check_finds_the_quickstart_ready_and_draws_it(quickstart: tuple[Workspace, str]) -> None:
    workspace, _ = quickstart
    printed = workspace.succeed(f"python -m prepare.check {EMBEDDED}")
    assert "synthetic is ready" in printed and "problem" not in printed
    picture = imread(workspace.folder / "outputs" / "check" / "synthetic.png")
    assert picture.shape[0] > picture.shape[1] > 1000
    assert len({tuple(pixel) for pixel in picture[::7, ::7, :3].reshape(-1, 3).tolist()}) > 20


def test_check_of_missing_statistics_ends_with_code_1(quickstart: tuple[Workspace, str]) -> None:
    workspace, _ = quickstart
    done = workspace.run(f"python -m prepare.check {EMBEDDED} data.stats=nowhere sheet=null")
    assert done.returncode == 1
    assert "python -m prepare.motion_stats data=synthetic" in done.stdout
    assert "not ready: 1 problems" in done.stdout


def test_the_dissimilar_split_is_the_same_again(quickstart: tuple[Workspace, str]) -> None:
    workspace, _ = quickstart
    folder = workspace.folder / "datasets" / "annotations" / "synthetic"
    command = f"python -m prepare.nsim_split {EMBEDDED} size=10 output=few"
    assert "wrote 10 of 80 keys" in workspace.succeed(command)
    few = read_split(folder, "few")
    assert set(few) <= set(read_split(folder, "test"))
    data = TextMotionData("synthetic", str(folder), "motions", "stats")
    cache = EmbeddingCache(folder / "text_embeddings" / "minilm", MODEL)
    assert nsim_split(data, cache, size=5, output="fewer") == few[:5]
    with pytest.raises(InputError, match="overwrite=true"):
        nsim_split(data, cache, output="few")
    assert nsim_split(data, cache, size=10, output="few", overwrite=True) == few
    for name in ("few", "fewer"):
        (folder / "splits" / f"{name}.txt").unlink()
