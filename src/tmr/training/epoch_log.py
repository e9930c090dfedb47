"""What a training run logs: a line and a row of figures an epoch, progress, and ``train.log``."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from tmr.spreadsheet import write_rows

log = logging.getLogger(__name__)

FIRST_COLUMNS = ("epoch", "step", "time", "seconds")
PROGRESS_SECONDS = 30


class EpochLog(pl.Callback):
    """A line and a row of ``metrics.csv`` for each epoch.

    The rows are kept in checkpoints and the file is written anew from them, so a resumed run has
    every epoch once: neither what an earlier process logged is lost, nor an epoch there twice that
    was trained again. A row has the epoch from zero, the number of steps, the time when it was
    over (seconds since 1970), how long it took, and every loss and metric by name.
    """

    def __init__(self, folder: Path) -> None:
        self.table = folder / "metrics.csv"
        self.rows: list[dict[str, float | int]] = []
        self.spent = 0.0  # seconds on this epoch before this process
        self.started = 0.0

    def state_dict(self) -> dict[str, Any]:
        """The rows, and the seconds spent on an epoch that is not over."""
        over = self.started == 0
        spent = 0.0 if over else self.spent + time.perf_counter() - self.started
        return {"rows": self.rows, "spent": spent}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue the rows of an earlier process."""
        self.rows, self.spent = state_dict["rows"], state_dict["spent"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock of a resumed epoch."""
        self.started = time.perf_counter()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock of an epoch from its beginning."""
        self.started, self.spent = time.perf_counter(), 0.0

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the epoch; validation has run by now, unless the run stops in mid-epoch."""
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
            log.info(epoch_line(row, trainer.max_epochs))
            names = sorted({name for row in self.rows for name in row} - {*FIRST_COLUMNS})
            columns = [*FIRST_COLUMNS, *names]
            cells = ([row.get(name, "") for name in columns] for row in self.rows)
            write_rows(self.table, [columns, *cells])


class ProgressLog(pl.Callback):
    """A line every half minute inside an epoch, for logs: a terminal has a progress bar."""

    def __init__(self) -> None:
        self.logged = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self.logged = time.monotonic()

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Log where the epoch is, when it is time."""
        if trainer.is_last_batch or time.monotonic() - self.logged < PROGRESS_SECONDS:
            return
        self.logged = time.monotonic()
        log.info(
            "epoch %d/%s: batch %d of %d, loss %.4f",
            trainer.current_epoch + 1,
            trainer.max_epochs,
            batch_idx + 1,
            trainer.num_training_batches,
            float(outputs["loss"]),
        )

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The line of the epoch is a sign of life, too."""
        self.logged = time.monotonic()


def epoch_line(row: dict[str, float | int], max_epochs: int | None) -> str:
    """One line for people about an epoch."""
    terms = [
        f"{name.removeprefix('train/')} {value:.4g}"
        for name, value in row.items()
        if name.startswith("train/") and name != "train/loss"
    ]
    line = f"epoch {int(row['epoch']) + 1}/{max_epochs}: loss {row['train/loss']:.4f}"
    line += f" ({', '.join(terms)})"
    if "val/loss" in row:
        line += f", validation loss {row['val/loss']:.4f}"
        for direction, name in (("t2m", "text to motion"), ("m2t", "motion to text")):
            recalls = (row[f"val/{direction}/{recall}"] for recall in ("R01", "R10"))
            line += ", R@1 {:.1f} R@10 {:.1f} {}".format(*recalls, name)
    return f"{line}, {row['seconds']:.1f} s"


@contextmanager
def log_to_file(path: Path, enabled: bool) -> Iterator[None]:
    """A context in which everything logged is appended to a file, too, with date and time."""
    if not enabled:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    root, ours = logging.getLogger(), logging.getLogger("tmr")
    level = ours.level
    if level == logging.NOTSET:
        ours.setLevel(logging.INFO)  # also where the program that calls us configured no logging
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        ours.setLevel(level)
        handler.close()
