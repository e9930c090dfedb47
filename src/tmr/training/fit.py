"""Fit a model to a data set inside a run folder."""

import logging
import sys
import warnings
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from pytorch_lightning.callbacks import EMAWeightAveraging
from pytorch_lightning.strategies import DDPStrategy
from pytorch_lightning.utilities import rank_zero_only

from tmr.data import (
    TextMotionDataset,
    place_on_device_if_it_fits,
    training_loader,
    validation_loader,
)
from tmr.errors import InputError
from tmr.io import WriteError, disk_is_full
from tmr.model import TEMOS
from tmr.training.allocator import keep_freed_memory
from tmr.training.augmentation import Augmentation
from tmr.training.callbacks import Checkpoints, DurableCheckpoints, EpochLog
from tmr.training.learning_rate import LearningRate
from tmr.training.module import Training
from tmr.training.precision import with_precision

log = logging.getLogger(__name__)

# Batches are made in memory by the training process, and it knows itself where an epoch goes on,
# so these pieces of advice do not apply.
SILENCED = (
    ".*does not have many workers.*",
    ".*isinstance\\(treespec, LeafSpec\\).*",
    ".*your dataloader is not resumable.*",
    ".*It is recommended to use `self.log.*sync_dist=True.*",
    ".*`broadcast_buffers` is deprecated.*",  # the newer name is not in torch 2.11
)


def process_rank() -> int:
    """Which of the processes that train together this one is; 0 on its own."""
    return getattr(rank_zero_only, "rank", 0)


def fit(
    model: TEMOS,
    train: TextMotionDataset,
    val: TextMotionDataset,
    run_dir: Path,
    lr: float,
    decay: float,
    batch_size: int,
    pool: int,
    seed: int,
    trainer: Mapping[str, Any],
    checkpoint_minutes: float | int,
    data_on_device: bool | str,
    resume_from: Path | None = None,
    augmentation: Mapping[str, float] | None = None,
    ema: float = 0.0,
) -> dict[str, float | int]:
    """Train and return the last epoch's figures; logs and checkpoints go under ``run_dir``.

    ``decay`` is the share of all steps, at the end, over which the learning rate falls to zero;
    ``batch_size`` is that of a step, shared out among all devices; ``pool`` is the number of
    batches sorted by length together; ``trainer`` goes to Lightning's Trainer;
    ``checkpoint_minutes`` is how often ``last.ckpt`` is written in mid-epoch; ``data_on_device`` is
    whether the data live there, ``auto`` on a GPU with the room; ``resume_from`` is a checkpoint to
    continue; ``augmentation`` holds the options of ``Augmentation``, which changes training
    motions. With ``ema``, validation and checkpoints see the exponential moving average of the
    weights over steps, which keeps that share of itself in each (Polyak and Juditsky, 1992).

    Raises:
        InputError: the loss is not finite, or the disk is full. The last checkpoint is whole.
    """
    for message in SILENCED:
        warnings.filterwarnings("ignore", message)
    # Lightning's lines about devices and its tips: ours says what matters.
    logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)
    logs = run_dir / "logs"
    epochs = EpochLog(logs)
    augment = (
        partial(Augmentation(**augmentation), normalizer=train.normalizer) if augmentation else None
    )
    averages = [EMAWeightAveraging(decay=ema)] if ema else []
    checkpoints = Checkpoints(logs / "checkpoints", checkpoint_minutes)
    lightning = pl.Trainer(
        default_root_dir=run_dir,
        logger=False,
        callbacks=[epochs, LearningRate(lr, decay), *averages, checkpoints],
        plugins=plugins(),
        enable_checkpointing=False,
        enable_progress_bar=sys.stderr.isatty(),
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        **options(with_precision(trainer)),
    )
    place = lightning.global_rank, lightning.world_size
    device = lightning.strategy.root_device
    log.info("training on %d x %s in %s", lightning.world_size, device.type, lightning.precision)
    if device.type == "cpu":
        keep_freed_memory()
    training, validation = place_on_device_if_it_fits([train, val], device, data_on_device)
    order = {"seed": seed, "batch_size": batch_size, "pool": pool, "motions": len(train)}
    try:
        lightning.fit(
            Training(model, lr, order, failures=run_dir / "failures", augment=augment),
            training_loader(training, batch_size, pool, seed, device.type == "cuda", *place),
            validation_loader(validation, batch_size, *place),
            ckpt_path=resume_from,
            weights_only=True if resume_from else None,
        )
    except (OSError, RuntimeError, WriteError) as error:
        if not disk_is_full(error):
            raise
        raise InputError(
            f"no space left on the disk of {run_dir}; the last checkpoint is whole; make space, "
            f"then: python train.py resume_dir={run_dir}"
        ) from error
    return epochs.rows[-1] if epochs.rows else {}


def plugins() -> list[Any]:
    """How checkpoints are written; and under SLURM, not Lightning's own way of starting jobs again.

    It would save wherever in a step the signal finds it. Ours goes on from the last checkpoint.
    """
    slurm = [SLURMEnvironment(auto_requeue=False)] if SLURMEnvironment.detect() else []
    return [DurableCheckpoints(), *slurm]


def options(trainer: Mapping[str, Any]) -> dict[str, Any]:
    """Lightning's options from those of a config.

    ``strategy: ddp`` is set up for this model: every weight has a gradient in every step, and the
    one buffer, the positional encodings, grows with need on each process alone.
    """
    if trainer.get("strategy") != "ddp":
        return dict(trainer)
    return {
        **trainer,
        "strategy": DDPStrategy(broadcast_buffers=False, gradient_as_bucket_view=True),
    }
