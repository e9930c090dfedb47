"""What people see of a training run, and what it keeps."""

import csv
import io
import logging
import math
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.plugins.io import TorchCheckpointIO
from tensorboard.compat.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]
from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]
from tensorboard.summary.writer.record_writer import RecordWriter

from tmr.io import save_pickle, write_text

log = logging.getLogger(__name__)

FIRST_COLUMNS = ("epoch", "step", "time", "seconds")


class EpochLog(pl.Callback):
    """A line, a row of ``metrics.csv`` and the points of TensorBoard curves for each epoch.

    The rows are kept in checkpoints and the files are written anew from them, so a resumed run has
    every epoch once: neither what an earlier process logged is lost, nor an epoch there twice that
    was trained again. A row has the epoch from zero, the number of steps, the time when it was
    over (seconds since 1970), how long it took, and every loss and figure by name.
    """

    def __init__(self, folder: Path) -> None:
        self.table = folder / "metrics.csv"
        self.curves = folder / "tensorboard" / "events.out.tfevents.epochs"
        self.rows: list[dict[str, float | int]] = []
        self.spent = 0.0  # seconds on this epoch before this process
        self.started = 0.0

    def state_dict(self) -> dict[str, Any]:
        """The rows, and the seconds spent on an epoch that is not over."""
        over = self.started == 0
        spent = 0.0 if over else self.spent + time.perf_counter() - self.started
        return {"rows": self.rows, "spent": spent}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the rows of an earlier process."""
        self.rows, self.spent = state_dict["rows"], state_dict["spent"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin the curves anew, and start the clock of an epoch that goes on."""
        self.started = time.perf_counter()
        if trainer.is_global_zero:
            self.curves.parent.mkdir(parents=True, exist_ok=True)
            self.curves.unlink(missing_ok=True)
            append(self.curves, [Event(wall_time=time.time(), file_version="brain.Event:2")])
            append(self.curves, [points(row) for row in self.rows])

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock of an epoch from its beginning."""
        self.started, self.spent = time.perf_counter(), 0.0

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Tell the epoch; validation has run by now, unless the run stops in mid-epoch."""
        if not trainer.is_last_batch:
            log.info("stopped at step %d, in the middle of an epoch", trainer.global_step)
            return
        row = {
            "epoch": trainer.current_epoch,
            "step": trainer.global_step,
            "time": time.time(),
            "seconds": self.spent + time.perf_counter() - self.started,
        }
        self.started = 0.0
        row |= {name: float(value) for name, value in sorted(trainer.callback_metrics.items())}
        self.rows.append(row)
        if trainer.is_global_zero:
            log.info(line(row, trainer.max_epochs))
            write_text(self.table, table(self.rows))
            append(self.curves, [points(row)])


def line(row: dict[str, float | int], max_epochs: int | None) -> str:
    """One line for people about an epoch."""
    terms = [
        f"{name.removeprefix('train/')} {value:.4g}"
        for name, value in row.items()
        if name.startswith("train/") and name != "train/loss"
    ]
    told = f"epoch {int(row['epoch']) + 1}/{max_epochs}: loss {row['train/loss']:.4f}"
    told += f" ({', '.join(terms)})"
    if "val/loss" in row:
        told += f", validation loss {row['val/loss']:.4f}"
        for way, name in (("t2m", "text to motion"), ("m2t", "motion to text")):
            told += f", R@1 {row[f'val/{way}/R01']:.1f} R@10 {row[f'val/{way}/R10']:.1f} {name}"
    return f"{told}, {row['seconds']:.1f} s"


def table(rows: list[dict[str, float | int]]) -> str:
    """Rows as CSV, with a column for every name that occurs."""
    names = sorted({name for row in rows for name in row} - set(FIRST_COLUMNS))
    text = io.StringIO()
    writer = csv.DictWriter(text, [*FIRST_COLUMNS, *names], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def points(row: dict[str, float | int]) -> Event:
    """A point of every curve of TensorBoard."""
    names = row.keys() - set(FIRST_COLUMNS)
    values = [Summary.Value(tag=name, simple_value=row[name]) for name in sorted(names)]
    return Event(wall_time=row["time"], step=int(row["epoch"]), summary=Summary(value=values))


def append(path: Path, events: Iterable[Event]) -> None:
    """Add events to a file of TensorBoard's, whose own writer hides a full disk in a thread."""
    with path.open("ab") as file:
        writer = RecordWriter(file)
        for event in events:
            writer.write(event.SerializeToString())


class Checkpoints(pl.Callback):
    """``last.ckpt`` of every epoch and of long ones in between, ``best.ckpt`` by mean recall.

    Epochs are saved when they are over, not after their validation: only then does a resumed run
    begin with the next epoch's batches. ``best.ckpt`` is written before ``last.ckpt``: killed in
    between, the run does the epoch again, and finds the best again.
    """

    def __init__(self, folder: Path, minutes: float | int) -> None:
        self.folder = folder
        self.seconds = 60 * minutes
        self.best = -math.inf
        self.saved = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        """The best recall so far."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from the best recall of an earlier process."""
        self.best = state_dict["best"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self.saved = time.monotonic()

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Save in mid-epoch when it is time. All processes do, because all are asked for state."""
        gradients_wait = (batch_idx + 1) % trainer.accumulate_grad_batches != 0
        if trainer.is_last_batch or gradients_wait:
            return
        due = time.monotonic() - self.saved >= self.seconds
        due |= trainer.global_step == trainer.max_steps  # a run with a limit ends here
        if trainer.strategy.reduce_boolean_decision(due, all=False):
            self._save(trainer, "last")

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save the epoch, twice if it is the best; of one cut short, the last step was saved."""
        if not trainer.is_last_batch:
            return
        recall = float(trainer.callback_metrics.get("val/recall", -math.inf))
        if recall > self.best:
            self.best = recall
            self._save(trainer, "best")
        self._save(trainer, "last")

    def _save(self, trainer: pl.Trainer, name: str) -> None:
        trainer.save_checkpoint(self.folder / f"{name}.ckpt", weights_only=False)
        self.saved = time.monotonic()


class DurableCheckpoints(TorchCheckpointIO):
    """Checkpoints that are whole or not there, whatever happens while one is written.

    Lightning writes into the system's temporary folder and then moves: between file systems that
    is a copy, which can stop half-way.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        """Write beside the old one, on the disk before it takes the old one's name."""
        save_pickle(path, checkpoint, durable=True)
