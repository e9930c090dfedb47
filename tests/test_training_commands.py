"""`python train.py` as people use it: killed, on two devices, in sweeps, on a cluster."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir

from tests.processes import start_command
from tests.workspace import Workspace
from tmr.run.folder import RunDir

TINY = (
    "data=synthetic model=tmr_small text=minilm model.motion_encoder.latent_dim=16 "
    "model.motion_encoder.ff_size=16 model.motion_encoder.num_layers=1 lr=1e-3 batch_size=64"
)


@pytest.fixture
def workspace(quickstart: tuple[Workspace, str]) -> Workspace:
    return quickstart[0]


@pytest.fixture(scope="module")
def undisturbed(quickstart: tuple[Workspace, str]) -> Path:
    """The folder of a run of two epochs."""
    run(quickstart[0], f"python train.py {TINY} trainer.max_epochs=2 run_dir=outputs/undisturbed")
    return quickstart[0].folder / "outputs" / "undisturbed"


def run(workspace: Workspace, line: str) -> str:
    """What a command prints that must succeed."""
    output = workspace.folder / "printed.txt"
    process = start_command(workspace.folder, line, output)
    process.join()
    assert process.exitcode == 0, output.read_text()
    return output.read_text()


def last_checkpoint(folder: Path) -> dict[str, Any]:
    return torch.load(folder / "logs/checkpoints/last.ckpt", weights_only=True)


def same_weights(first: Path, second: Path) -> bool:
    ours, theirs = (last_checkpoint(folder)["state_dict"] for folder in (first, second))
    return all(torch.equal(ours[name], theirs[name]) for name in theirs)


def epochs(folder: Path) -> list[str]:
    table = (folder / "logs" / "metrics.csv").read_text().splitlines()
    return [row.split(",")[0] for row in table[1:]]


def test_a_killed_run_goes_on_where_it_stopped(workspace, undisturbed, tmp_path):
    """Also with more epochs than it should have had; only what is missing is trained."""
    started = f"python train.py {TINY} trainer.max_epochs=1 checkpoint_minutes=0 run_dir={tmp_path}"
    process = start_command(workspace.folder, started, workspace.folder / "printed.txt")
    while process.is_alive() and not (tmp_path / "logs/checkpoints/last.ckpt").is_file():
        time.sleep(0.01)
    process.kill()
    process.join()
    assert last_checkpoint(tmp_path)["epoch_so_far"]["batches"] > 0
    printed = run(workspace, f"python train.py resume_dir={tmp_path} trainer.max_epochs=2")
    assert "epoch 2/2" in printed
    assert same_weights(tmp_path, undisturbed)
    assert epochs(tmp_path) == epochs(undisturbed) == ["0", "1"]
    printed = run(workspace, f"python train.py resume_dir={tmp_path}")
    assert "epoch " not in printed


def test_a_run_killed_before_its_first_checkpoint_starts_anew(workspace, undisturbed, tmp_path):
    shutil.copytree(undisturbed, tmp_path / "run", ignore=shutil.ignore_patterns("*.ckpt"))
    printed = run(workspace, f"python train.py resume_dir={tmp_path / 'run'}")
    assert "starts from the beginning" in printed
    assert same_weights(tmp_path / "run", undisturbed)


def test_two_processes_do_not_train_in_one_folder(workspace, undisturbed):
    with RunDir(undisturbed).locked():
        said = workspace.refuse(f"python train.py resume_dir={undisturbed} trainer.max_epochs=3")
    assert "another process trains in" in said


def test_two_devices_make_one_run_folder(workspace, undisturbed):
    """Real processes as Lightning starts them; the first one alone writes and talks."""
    two = workspace.folder / "outputs" / "two"
    printed = workspace.succeed(
        f"python train.py {TINY} trainer=ddp trainer.accelerator=cpu trainer.devices=2 "
        "trainer.max_epochs=1 run_dir=outputs/two"
    )
    assert printed.count("epoch 1/1") == printed.count("training motions") == 1
    assert "training on 2 x cpu" in printed
    files = [
        {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
        for folder in (two, undisturbed)
    ]
    assert files[0] == files[1]
    assert json.loads((two / "config.json").read_text())["trainer"]["strategy"] == "ddp"
    batches = -(-320 // 64)  # as many steps as one process makes
    assert last_checkpoint(two)["global_step"] == last_checkpoint(undisturbed)["global_step"] / 2
    assert last_checkpoint(two)["global_step"] <= batches


def test_a_sweep_trains_side_by_side(workspace):
    run(
        workspace,
        f"python train.py -m hydra/launcher=joblib hydra.launcher.n_jobs=2 {TINY} seed=1,2 "
        "trainer.max_epochs=1 'run_dir=outputs/seed_${seed}'",
    )
    for seed in (1, 2):
        config = workspace.folder / "outputs" / f"seed_{seed}" / "config.json"
        assert json.loads(config.read_text())["seed"] == seed
        assert (config.parent / "logs/checkpoints/last.ckpt").is_file()


def test_slurm_starts_a_task_for_each_device(root):
    options = ["hydra/launcher=slurm", "trainer=ddp", "trainer.devices=4", "trainer.num_nodes=2"]
    with initialize_config_dir(str(root / "configs"), version_base="1.3"):
        launcher = compose("train", options, return_hydra_config=True).hydra.launcher
    assert launcher._target_.endswith("SlurmLauncher")
    assert (launcher.nodes, launcher.tasks_per_node, launcher.gpus_per_node) == (2, 4, 4)
