"""What is left of a run whose loss is not finite, or whose disk is full."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from tests.training.toy import (
    TMR,
    checkpoint,
    datasets,
    error_of,
    finished,
    model_of,
    same,
)
from tmr.data import Batch
from tmr.sequences import Packed


def test_a_loss_that_is_not_finite_stops_with_the_batch_and_the_weights_before(data, tmp_path):
    said = error_of(data, tmp_path, poisoned=True)
    (path,) = (tmp_path / "failures").iterdir()
    assert "epoch 1, step 1: loss or gradients are not finite (recons " in said
    assert str(path) in said
    kept = torch.load(path, weights_only=True)
    (train, _) = datasets(data)
    by_key = {item.key: index for index, item in enumerate(train.items)}
    assert len(kept["keys"]) == 8
    assert all(key in said for key in kept["keys"])
    motions = kept["motion"].split(kept["motion_lengths"])
    for key, motion in zip(kept["keys"], motions, strict=True):
        assert torch.equal(motion, train[by_key[key]].motion)


def test_the_step_that_failed_can_be_made_again(data, tmp_path):
    """Its batch, weights and random numbers give its losses, which were not finite."""
    error_of(data, tmp_path, poisoned=True)
    (path,) = (tmp_path / "failures").iterdir()
    kept = torch.load(path, weights_only=True)
    model = model_of(TMR, 0.1)
    model.load_state_dict(kept["state_dict"])
    motion = Packed(kept["motion"], tuple(kept["motion_lengths"]))
    text = Packed(kept["text"], tuple(kept["text_lengths"]))
    batch = Batch(tuple(kept["keys"]), tuple(kept["captions"]), motion, text, kept["sentences"])
    torch.manual_seed(kept["seed"])
    losses = model(batch).losses
    assert {name: value.item() for name, value in losses.items()}.keys() == kept["losses"].keys()
    for name in ("kl", "latent", "contrastive"):
        torch.testing.assert_close(losses[name].item(), kept["losses"][name])
    assert not torch.isfinite(losses["loss"])


def test_on_a_full_disk_the_last_checkpoint_survives_and_goes_on(data, undisturbed, tmp_path):
    with small_disk(tmp_path / "disk", data, undisturbed) as (run_dir, limits):
        said = error_of(data, run_dir, checkpoint_minutes=10, **limits)
        assert "\n" not in said
        assert "no space left" in said
        assert f"resume_dir={run_dir}" in said
        before = checkpoint(run_dir)
        assert before["epoch"] == 0
        folder = run_dir / "logs" / "checkpoints"
        assert {path.name for path in folder.iterdir()} == {"last.ckpt", "best.ckpt"}
        shutil.copytree(run_dir, tmp_path / "larger")
    finished(data, tmp_path / "larger")
    ours, theirs = checkpoint(tmp_path / "larger"), checkpoint(undisturbed)
    assert same(ours["state_dict"], theirs["state_dict"])


@contextmanager
def small_disk(folder: Path, data: Path, undisturbed: Path) -> Iterator[tuple[Path, dict]]:
    """A run folder with room for the first epoch but not for the second one's checkpoint.

    A file system of its own where this process may mount one. Elsewhere the run's first epoch,
    made before, and a process that may write no file as large as a checkpoint.
    """
    size = (undisturbed / "logs" / "checkpoints" / "last.ckpt").stat().st_size
    folder.mkdir()
    options = f"size={int(2.6 * size)}"
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=False)
    if mount.returncode == 0:
        try:
            yield folder / "run", {}
        finally:
            subprocess.run(["umount", folder], check=True)
    else:
        finished(data, folder / "run", trainer={"max_epochs": 1}, checkpoint_minutes=10)
        yield folder / "run", {"file_size": size // 2}
