"""The learning rate of a resumed run."""

import pytorch_lightning as pl


class LearningRate(pl.Callback):
    """Sets the module's ``lr`` when training begins: a checkpoint's optimiser brings its old one.

    So `train.py resume_dir=R lr=1e-4` goes on at 1e-4.
    """

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Set it, behind the restoring of the optimiser and before the first step."""
        for optimizer in trainer.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = pl_module.lr
