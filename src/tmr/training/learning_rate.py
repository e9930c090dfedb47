"""The learning rate over a run."""

import pytorch_lightning as pl

from tmr.errors import InputError


class LearningRate(pl.Callback):
    """Sets the learning rate of every step: ``lr``, falling to zero at the end.

    ``decay`` is the share of all steps over which it falls, in a straight line; 0 keeps it
    constant. It depends on the step alone, not on what a checkpoint's optimizer brings, so
    `train.py resume_dir=R lr=1e-4` goes on at 1e-4.

    Raises:
        InputError: a ``decay`` that is no share.
    """

    def __init__(self, lr: float, decay: float = 0.0) -> None:
        if not 0 <= decay <= 1:
            raise InputError(f"decay={decay} is no share of a run; give a number from 0 to 1")
        self.lr = lr
        self.decay = decay

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: object, batch_idx: int
    ) -> None:
        """Set it for the step that begins."""
        left = trainer.estimated_stepping_batches - trainer.global_step
        falling = self.decay * trainer.estimated_stepping_batches
        lr = self.lr * (min(1.0, left / falling) if falling else 1.0)
        for optimizer in trainer.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = lr
