"""`python train.py` as people use it: killed, on two devices, in sweeps, on a cluster."""

import json
import os
import re
import shutil
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir

from tests.processes import start_command
from tests.training.toy import same
from tests.workspace import ROOT, Workspace
from tmr.commands.cli import compose as compose_ours
from tmr.runs.folder import RunDir

GUIDE = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```bash\n(.*?)^```$", GUIDE, flags=re.DOTALL | re.MULTILINE)
TINY = (
    "data=synthetic model=tmr_small language_model=minilm model.motion_encoder.latent_dim=16 "
    "model.motion_encoder.ff_size=16 model.motion_encoder.num_layers=1 batch_size=8"
)


@pytest.fixture(scope="module")
def whole(workspace: Workspace) -> Path:
    """The folder of a run of two epochs that nobody disturbed."""
    run(workspace, f"python train.py {TINY} trainer.max_epochs=2 run_dir=outputs/whole")
    return workspace.folder / "outputs" / "whole"


@pytest.fixture(scope="module")
def guided(workspace: Workspace) -> str:
    """What the commands of the guide print, one behind the other.

    The sweep is not forked: then joblib would start no workers.
    """
    lines = [line for block in BLOCKS for line in block.splitlines()]
    return "".join(workspace.succeed(f"exec {x}" if "joblib" in x else x) for x in lines)


def run(workspace: Workspace, line: str, code: int = 0) -> str:
    """What a command prints that must end with this exit code."""
    output = workspace.folder / "printed.txt"
    output.unlink(missing_ok=True)
    process = start_command(workspace.folder, line, output)
    process.join()
    assert process.exitcode == code, output.read_text()
    return output.read_text()


def last_checkpoint(run_dir: Path) -> dict[str, Any]:
    return torch.load(run_dir / "logs/checkpoints/last.ckpt", weights_only=True)


def same_weights(first: Path, second: Path) -> bool:
    return same(*(last_checkpoint(run_dir)["state_dict"] for run_dir in (first, second)))


def epochs(run_dir: Path) -> list[str]:
    table = (run_dir / "logs" / "metrics.csv").read_text().splitlines()
    return [row.split(",")[0] for row in table[1:]]


def test_a_killed_run_goes_on_where_it_stopped(workspace, whole, tmp_path):
    """Also with more epochs than it should have had; only what is missing is trained."""
    started = f"python train.py {TINY} trainer.max_epochs=1 checkpoint_minutes=0 run_dir={tmp_path}"
    process = start_command(workspace.folder, started, workspace.folder / "printed.txt")
    while process.is_alive() and not (tmp_path / "logs/checkpoints/last.ckpt").is_file():
        time.sleep(0.001)
    process.kill()
    process.join()
    assert last_checkpoint(tmp_path)["epoch_so_far"]["batches"] > 0
    printed = run(workspace, f"python train.py resume_dir={tmp_path} trainer.max_epochs=2")
    assert "epoch 2/2" in printed
    assert same_weights(tmp_path, whole)
    assert epochs(tmp_path) == epochs(whole) == ["0", "1"]
    printed = run(workspace, f"python train.py resume_dir={tmp_path}")
    assert "epoch " not in printed


def test_ctrl_c_ends_in_one_line_that_says_how_to_resume(workspace, whole, tmp_path):
    run_dir, output = tmp_path / "my run", tmp_path / "printed.txt"
    shutil.copytree(whole, run_dir)
    line = f"python train.py 'resume_dir={run_dir}' trainer.max_epochs=4000"
    output.touch()
    process = start_command(workspace.folder, line, output)
    while process.is_alive() and "epoch 3/4000" not in output.read_text():
        time.sleep(0.01)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGINT)
    process.join()
    assert process.exitcode == 130, output.read_text()
    expected = f"interrupted; resume with: python train.py resume_dir='{run_dir}'"
    assert output.read_text().splitlines()[-1] == expected


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("model=contrastive_text_small", "give them with text_pairs=FOLDER"),
        ("model=contrastive_small text_pairs=datasets/annotations/synthetic", "leave out text_pai"),
    ],
)
def test_pairs_of_captions_and_the_model_that_learns_from_them_go_together(
    workspace, tmp_path, given, said
):
    line = f"python train.py data=synthetic language_model=minilm {given} run_dir={tmp_path}/run"
    printed = run(workspace, line, code=2)
    assert said in printed.splitlines()[-1]
    assert not (tmp_path / "run").exists()


def test_keys_of_lightnings_trainer_are_options():
    given = ["data=synthetic", "trainer.profiler=simple", "trainer.max_epochs=3", "logger=wandb"]
    config = compose_ours(ROOT / "configs", "train", *given)
    assert config["trainer"] | {"profiler": "simple", "max_epochs": 3} == config["trainer"]
    assert config["logger"]["name"] == "tmr_synthetic"


def test_a_run_killed_before_its_first_checkpoint_starts_anew(workspace, whole, tmp_path):
    shutil.copytree(whole, tmp_path / "run", ignore=shutil.ignore_patterns("*.ckpt"))
    printed = run(workspace, f"python train.py resume_dir={tmp_path / 'run'}")
    assert "starts from the beginning" in printed
    assert same_weights(tmp_path / "run", whole)


def test_two_processes_do_not_train_in_one_folder(workspace, whole):
    with RunDir(whole).locked():
        said = run(workspace, f"python train.py resume_dir={whole} trainer.max_epochs=3", code=2)
    assert said.splitlines()[-1].startswith(f"error: another process trains in {whole}")


def test_the_guide_continues_a_run(workspace, guided):
    assert epochs(workspace.folder / "outputs" / "long") == ["0", "1"]
    assert guided.count("epoch 2/2") == 1


def test_two_devices_make_one_run_folder(workspace, guided):
    """Real processes as Lightning starts them; the first one alone writes and talks."""
    one, two = (workspace.folder / "outputs" / name for name in ("seed_1", "two"))
    assert guided.count("training on 2 x cpu") == 1
    assert guided.count("done; next: python extract.py run_dir=outputs/two") == 1
    files = [
        {path.relative_to(run_dir) for path in run_dir.rglob("*") if path.is_file()}
        for run_dir in (one, two)
    ]
    assert files[0] == files[1]
    assert json.loads((two / "config.json").read_text())["trainer"]["strategy"] == "ddp"
    assert last_checkpoint(two)["global_step"] == last_checkpoint(one)["global_step"] == 2


def test_two_nodes_make_one_run_folder(workspace, tmp_path):
    """A process on each of two machines, which both see the folder; here they are one."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    line = f"python train.py {TINY} trainer.max_epochs=1 trainer=ddp trainer.accelerator=cpu "
    line += "trainer.devices=1 trainer.num_nodes=2 run_dir=outputs/nodes"
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "LOCAL_RANK": "0"}
    printed = [tmp_path / f"{number}.txt" for number in range(2)]
    nodes = [
        start_command(workspace.folder, line, file, environment=place | {"NODE_RANK": str(number)})
        for number, file in enumerate(printed)
    ]
    try:
        for node in nodes:
            node.join(600)
        said = "".join(file.read_text() for file in printed)
        assert [node.exitcode for node in nodes] == [0, 0], said
    finally:  # one that waits for the other would wait for ever
        for node in nodes:
            node.kill()
    checkpoint = last_checkpoint(workspace.folder / "outputs" / "nodes")
    assert checkpoint["global_step"] == 5  # batches of 8 from 38 motions, whatever their number


def test_a_sweep_trains_one_run_for_each_value(workspace, guided):
    runs = [workspace.folder / "outputs" / f"seed_{seed}" for seed in (1, 2)]
    assert [json.loads((r / "config.json").read_text())["seed"] for r in runs] == [1, 2]
    assert not same_weights(*runs)


def test_slurm_starts_a_task_for_each_device():
    options = ["hydra/launcher=slurm", "trainer=ddp", "trainer.devices=4", "trainer.num_nodes=2"]
    with initialize_config_dir(str(ROOT / "configs"), version_base="1.3"):
        launcher = compose("train", options, return_hydra_config=True).hydra.launcher
    assert launcher._target_.endswith("SlurmLauncher")
    assert (launcher.nodes, launcher.tasks_per_node, launcher.gpus_per_node) == (2, 4, 4)
