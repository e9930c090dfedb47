"""The checkpoints that a training run keeps."""

import math
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.plugins.io import TorchCheckpointIO

from tmr.errors import InputError
from tmr.io import load_pickle, save_pickle


class Checkpoints(pl.Callback):
    """``last.ckpt`` of every epoch and of long ones in between, ``best.ckpt`` by mean recall.

    Every ``keep_every`` epochs one stays, as ``epoch_0100.ckpt``; 0 keeps none.
    Epochs are saved when they are over, not after their validation: only then does a resumed run
    begin with the next epoch's batches. ``best.ckpt`` is written before ``last.ckpt``: killed in
    between, the run does the epoch again, and finds the best again.
    """

    def __init__(self, folder: Path, minutes: float | int, keep_every: int = 0) -> None:
        self.folder = folder
        self.seconds = 60 * minutes
        self.keep_every = keep_every
        self.best = -math.inf
        self.saved = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        """The best recall so far."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from the best recall of an earlier process."""
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
        """Save in mid-epoch when it is time. All processes do: each has a part."""
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
        epochs = trainer.current_epoch + 1
        if self.keep_every and epochs % self.keep_every == 0:
            self._save(trainer, f"epoch_{epochs:04d}")
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

    def load_checkpoint(
        self, path: Any, map_location: Any | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint whose checksums are right; no code is run."""
        try:
            return load_pickle(path)
        except Exception as error:  # each kind of damage has its own
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise InputError(
                f"{path} is damaged ({reason}); put another checkpoint of the run in its place, "
                "such as best.ckpt, or train again into another run_dir"
            ) from error
