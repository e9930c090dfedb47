"""A run that is killed at any moment ends as one that nobody disturbed."""

import csv
import os
import random
import time
from pathlib import Path

import pytest

from tests.training.toy import EPOCHS, checkpoint, error_of, finished, same, started

KILLS = int(os.environ.get("TMR_KILLS", "4"))
CLOCK = {"time", "seconds"}


def rows(run_dir: Path) -> list[dict[str, str]]:
    table = csv.DictReader((run_dir / "logs" / "metrics.csv").read_text().splitlines())
    return [{name: value for name, value in row.items() if name not in CLOCK} for row in table]


def kill_after_progress(data: Path, run_dir: Path, delay: float) -> bool:
    """Start or go on, and kill -9 ``delay`` seconds behind the next checkpoint; False when done."""
    last = run_dir / "logs" / "checkpoints" / "last.ckpt"
    before = last.stat().st_mtime_ns if last.is_file() else None
    process = started(data, run_dir)
    while process.is_alive():
        if last.is_file() and last.stat().st_mtime_ns != before:
            time.sleep(delay)
            break
        time.sleep(0.001)
    was_alive = process.is_alive()
    process.kill()
    process.join()
    return was_alive


def test_killed_at_random_moments_a_run_ends_with_the_same_weights(data, undisturbed, tmp_path):
    moments = random.Random(1)
    killed = sum(
        kill_after_progress(data, tmp_path, moments.uniform(0, 0.15)) for _ in range(KILLS)
    )
    assert killed >= 2
    finished(data, tmp_path)
    for name in ("last", "best"):
        ours, theirs = checkpoint(tmp_path, name), checkpoint(undisturbed, name)
        assert same(ours["state_dict"], theirs["state_dict"])
        assert ours["global_step"] == theirs["global_step"]
    ours, theirs = (checkpoint(run)["optimizer_states"] for run in (tmp_path, undisturbed))
    ours, theirs = ours[0]["state"], theirs[0]["state"]
    assert all(same(ours[weight], theirs[weight]) for weight in theirs)
    assert rows(tmp_path) == rows(undisturbed)


def test_every_epoch_is_logged_once(data, tmp_path):
    """Also those that an earlier process logged; train.log has all that both of them logged."""
    logger = {"_target_": "pytorch_lightning.loggers.CSVLogger", "name": "lightning"}
    finished(data, tmp_path, trainer={"max_epochs": 1})
    finished(data, tmp_path, logger=logger)
    assert [row["epoch"] for row in rows(tmp_path)] == [str(epoch) for epoch in range(EPOCHS)]
    log = (tmp_path / "train.log").read_text()
    assert [log.count(f" INFO epoch {n}/") for n in (1, 2, 3)] == [1, 1, 1]
    assert log.count("training on 1 x cpu in 32-true") == 2
    with (tmp_path / "logs" / "lightning" / "version_0" / "metrics.csv").open() as file:
        theirs = [row for row in csv.DictReader(file) if row["train/loss"]]
    for ours, row in zip(rows(tmp_path)[1:], theirs, strict=True):
        assert float(row["train/loss"]) == pytest.approx(float(ours["train/loss"]))


def test_a_checkpoint_is_kept_every_so_many_epochs(undisturbed):
    names = {path.stem for path in (undisturbed / "logs" / "checkpoints").iterdir()}
    assert names == {"last", "best", "epoch_0002"}
    assert checkpoint(undisturbed, "epoch_0002")["global_step"] == 2 * 5


def test_a_checkpoint_in_mid_epoch_refuses_other_batches(data, tmp_path):
    """In mid-epoch, other batches would leave motions out and repeat others."""
    kill_after_progress(data, tmp_path, 0)
    outcome = error_of(data, tmp_path, batch_size=4)
    assert "the epoch's batches would differ" in outcome
    assert "batch_size=8" in outcome
    assert "batch_size=4" in outcome


def test_data_on_the_device_change_nothing_also_in_a_run_that_is_killed(
    data, undisturbed, tmp_path
):
    """The device is the CPU here; the run begins with data off it, and goes on with them there."""
    kill_after_progress(data, tmp_path, 0)
    assert checkpoint(tmp_path)["epoch_so_far"]["batches"] > 0
    finished(data, tmp_path, data_on_device=True)
    ours, theirs = checkpoint(tmp_path), checkpoint(undisturbed)
    assert same(ours["state_dict"], theirs["state_dict"])
    assert rows(tmp_path) == rows(undisturbed)


def test_a_run_with_a_limit_of_steps_stops_in_mid_epoch_and_goes_on(data, undisturbed, tmp_path):
    """5 steps are an epoch: 7 leave one row of metrics, and a checkpoint to continue."""
    finished(data, tmp_path, trainer={"max_epochs": EPOCHS, "max_steps": 7})
    assert [row["epoch"] for row in rows(tmp_path)] == ["0"]
    finished(data, tmp_path)
    assert rows(tmp_path) == rows(undisturbed)
    weights = (checkpoint(run)["state_dict"] for run in (tmp_path, undisturbed))
    assert same(*weights)
