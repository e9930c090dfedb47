"""Fit a model to a data set inside a run folder."""

import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger

from tmr.data import TextMotionDataset, training_loader, validation_loader
from tmr.model import TEMOS
from tmr.training.callbacks import EpochLine, checkpoints
from tmr.training.learning_rate import LearningRate
from tmr.training.module import Training

# Batches are made in memory by the training process, so these pieces of advice do not apply.
SILENCED = (
    ".*does not have many workers.*",
    ".*number of training batches.*is smaller than the logging interval.*",
    ".*Checkpoint directory .* exists and is not empty.*",
    ".*isinstance\\(treespec, LeafSpec\\).*",
)


def fit(
    model: TEMOS,
    train: TextMotionDataset,
    val: TextMotionDataset,
    run_dir: Path,
    lr: float,
    batch_size: int,
    pool: int,
    seed: int,
    trainer: Mapping[str, Any],
    resume_from: Path | None = None,
) -> dict[str, float]:
    """Train and return the last validation figures; logs and checkpoints go under ``run_dir``.

    ``pool`` is the number of batches sorted by length together; ``trainer`` goes to Lightning's
    Trainer; ``resume_from`` is a checkpoint to continue.
    """
    for message in SILENCED:
        warnings.filterwarnings("ignore", message)
    logs = run_dir / "logs"
    lightning = pl.Trainer(
        default_root_dir=run_dir,
        logger=[CSVLogger(logs, name="csv"), TensorBoardLogger(logs, name="tensorboard")],
        callbacks=[EpochLine(), LearningRate(), *checkpoints(logs / "checkpoints")],
        enable_progress_bar=sys.stderr.isatty(),
        enable_model_summary=False,
        num_sanity_val_steps=0,
        **trainer,
    )
    on_gpu = lightning.strategy.root_device.type == "cuda"
    lightning.fit(
        Training(model, lr, seed),
        training_loader(train, batch_size, pool, seed, pin_memory=on_gpu),
        validation_loader(val, batch_size),
        ckpt_path=resume_from,
        weights_only=True if resume_from else None,
    )
    return {name: float(value) for name, value in lightning.callback_metrics.items()}
