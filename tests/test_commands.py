"""Commands as people type them, on the embedded data, in a checkout of their own."""

import csv
import json
import shutil

import pytest
import torch

from tests.workspace import Workspace
from tmr.data import Normalizer

RUN = "outputs/quickstart"


@pytest.fixture
def workspace(quickstart) -> Workspace:
    return quickstart[0]


def test_quickstart_ends_with_the_table_and_a_search(quickstart):
    _, printed = quickstart
    assert "R@10" in printed
    for protocol in ("normal", "threshold_0.95", "nsim", "guo"):
        assert f"\n{protocol}" in printed
    found = printed.rsplit('"a person waves with the left hand"\n', 1)[1].splitlines()
    assert 0 <= float(found[1].split()[1]) <= 1  # below the names of the columns


def test_a_run_folder_is_complete(workspace):
    run = workspace.folder / RUN
    config = json.loads((run / "config.json").read_text())
    assert config["data"]["name"] == "synthetic"
    assert config["language_model"]["name"] == "minilm"
    environment = json.loads((run / "environment.json").read_text())
    assert torch.__version__ in json.dumps(environment)
    for name in ("motion_encoder", "text_encoder", "side_head", "temperature"):
        assert (run / "last_weights" / f"{name}.pt").is_file()
        assert (run / "last_weights" / f"{name}.safetensors").is_file()
    ours = Normalizer.load(run / "stats")
    theirs = Normalizer.load(workspace.folder / "stats/synthetic/guoh3dfeats")
    assert torch.equal(ours.mean, theirs.mean) and torch.equal(ours.std, theirs.std)
    assert {p.name for p in (run / "logs" / "checkpoints").iterdir()} == {"last.ckpt", "best.ckpt"}


def test_each_epoch_is_logged(workspace):
    logs = workspace.folder / RUN / "logs"
    rows = list(csv.DictReader((logs / "metrics.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert float(rows[1]["train/loss"]) < float(rows[0]["train/loss"])
    assert "epoch 2/2: loss" in (logs.parent / "train.log").read_text()


def test_a_run_folder_copied_elsewhere_gives_the_same_figures(workspace, tmp_path):
    copy = tmp_path / "elsewhere"
    shutil.copytree(workspace.folder / RUN, copy)
    shutil.rmtree(copy / "contrastive_metrics")
    workspace.succeed(f"python retrieval.py run_dir={copy}")
    for path in sorted((workspace.folder / RUN / "contrastive_metrics").iterdir()):
        assert (copy / "contrastive_metrics" / path.name).read_text() == path.read_text()


def test_help_shows_what_a_command_does_and_its_options(workspace):
    shown = workspace.succeed("python train.py --help")
    assert "Train TMR or TEMOS" in shown
    assert "python train.py data=kitml" in shown
    assert "batch_size: 32" in shown


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("python train.py data=kitlm", "data=kitlm: no such choice; did you mean kitml?"),
        ("python train.py batchsize=3", "unknown option batchsize; did you mean batch_size?"),
        ("python train.py data=kitml", "`bash prepare/download_annotations.sh`"),
        ("python retrieval.py", "for example: python retrieval.py run_dir="),
        ("python retrieval.py run_dir=nowhere", "nowhere"),
        ("python search.py run_dir=nowhere text=x", "nowhere"),
        ("python -m prepare.motion_stats data=kitml", "no annotations at datasets/annotations/kit"),
        (f"python train.py data=synthetic run_dir={RUN}", f"resume_dir={RUN}"),
        (f"python train.py resume_dir={RUN} data=kitml", "leave out data=kitml"),
        ("python train.py resume_dir=nowhere", "nowhere"),
    ],
)
def test_bad_input_is_refused_in_one_line(workspace, command, message):
    assert message in workspace.refuse(command)


def test_a_run_without_weights_says_to_extract_them(workspace, tmp_path):
    copy = tmp_path / "bare"
    shutil.copytree(workspace.folder / RUN, copy)
    shutil.rmtree(copy / "last_weights")
    refusal = workspace.refuse(f"python retrieval.py run_dir={copy}")
    assert f"python extract.py run_dir={copy}" in refusal
