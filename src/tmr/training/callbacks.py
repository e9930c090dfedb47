"""What people see of a training run, and what it keeps."""

import logging
import time
from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint

log = logging.getLogger(__name__)


class EpochLine(pl.Callback):
    """One line an epoch: losses, validation figures, seconds."""

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self.started = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Tell the epoch; validation has run by now."""
        seen = {name: float(value) for name, value in trainer.callback_metrics.items()}
        terms = [
            f"{name.removeprefix('train/')} {value:.4g}"
            for name, value in sorted(seen.items())
            if name.startswith("train/") and name != "train/loss"
        ]
        log.info(
            "epoch %d/%s: loss %.4f (%s), validation loss %.4f, "
            "R@1 %.1f R@10 %.1f text to motion, R@1 %.1f R@10 %.1f motion to text, %.1f s",
            trainer.current_epoch + 1,
            trainer.max_epochs,
            seen["train/loss"],
            ", ".join(terms),
            *(seen[f"val/{name}"] for name in ("loss", "t2m/R01", "t2m/R10", "m2t/R01", "m2t/R10")),
            time.perf_counter() - self.started,
        )


def checkpoints(folder: Path) -> list[ModelCheckpoint]:
    """``last.ckpt`` of every epoch and ``best.ckpt`` by mean validation recall.

    They are saved when an epoch is over, not after its validation inside it: only then does a
    resumed run begin with the next epoch's batches.
    """
    shared = {"dirpath": folder, "enable_version_counter": False, "save_on_train_epoch_end": True}
    last = ModelCheckpoint(filename="last", **shared)
    best = ModelCheckpoint(filename="best", monitor="val/recall", mode="max", **shared)
    return [last, best]
