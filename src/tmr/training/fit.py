"""Fit a model to a data set inside a run folder."""

import logging
import os
import shlex
import sys
import warnings
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EMAWeightAveraging
from pytorch_lightning.utilities import rank_zero_only
from torch.utils.data import DataLoader

from tmr.data import (
    CaptionPool,
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
from tmr.training.checkpoints import Checkpoints
from tmr.training.epoch_log import EpochLog, ProgressLog, log_to_file
from tmr.training.module import Training
from tmr.training.trainer import trainer_of

log = logging.getLogger(__name__)

# Batches are made in memory by the training process, and epochs are logged, not steps, so
# these pieces of advice do not apply.
SILENCED = (
    ".*does not have many workers.*",
    ".*isinstance\\(treespec, LeafSpec\\).*",
    ".*your dataloader is not resumable.*",
    ".*It is recommended to use `self.log.*sync_dist=True.*",
    ".*smaller than the logging interval.*",
)


def process_rank() -> int:
    """0 for the first of the processes that train together, or one on its own; else above."""
    # Until it has connected them, Lightning counts the processes of each machine from 0.
    return max(getattr(rank_zero_only, "rank", 0), int(os.environ.get("NODE_RANK", "0")))


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
    logger: Mapping[str, Any] | None = None,
    keep_every: int = 0,
    augmentation: Mapping[str, float] | None = None,
    ema: float = 0.0,
    text_pairs: Mapping[str, CaptionPool] | None = None,
) -> dict[str, float | int]:
    """Train and return the last epoch's metrics; logs and checkpoints go under ``run_dir``.

    ``decay`` is the share of all steps, at the end, over which the learning rate falls to zero;
    ``batch_size`` is that of a step, shared out among all devices; ``pool`` is the number of
    batches sorted by length together; ``trainer`` goes to Lightning's Trainer, and ``logger`` is
    one of Lightning's loggers beside ``metrics.csv`` (see ``trainer_of``);
    ``checkpoint_minutes`` is how often ``last.ckpt`` is written in mid-epoch, and every
    ``keep_every`` epochs a checkpoint is kept; ``data_on_device`` is whether the data live there,
    ``auto`` on a GPU with the room; ``resume_from`` is a checkpoint to continue; ``augmentation``
    holds the options of ``Augmentation``, which changes training motions. With ``ema``, validation
    and checkpoints see the exponential moving average of the weights over steps, which keeps that
    share of itself in each (Polyak and Juditsky, 1992). ``text_pairs`` are the captions of the term
    ``text_contrastive``, for ``train`` and for ``val``.

    Raises:
        InputError: an option is refused, the loss is not finite, or the disk is full. The last
            checkpoint is whole.
        KeyboardInterrupt: interrupted; the message says how to resume.
    """
    with log_to_file(run_dir / "train.log", enabled=process_rank() == 0):
        for message in SILENCED:
            warnings.filterwarnings("ignore", message)
        # Lightning's lines about devices and its tips: ours says what matters.
        logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)
        logs = run_dir / "logs"
        epochs = EpochLog(logs)
        checkpoints = Checkpoints(logs / "checkpoints", checkpoint_minutes, keep_every)
        progress = [] if sys.stderr.isatty() else [ProgressLog()]
        averages = [EMAWeightAveraging(decay=ema)] if ema else []
        callbacks = [epochs, *progress, *averages, checkpoints]
        lightning = trainer_of(trainer, run_dir, callbacks, logger)
        place = lightning.global_rank, lightning.world_size
        device = lightning.strategy.root_device
        log.info("%s: %d training, %d validation motions", model.name, len(train), len(val))
        log.info("training on %d x %s in %s", place[1], device.type, lightning.precision)
        if device.type == "cpu":
            keep_freed_memory()
        training, validation = place_on_device_if_it_fits([train, val], device, data_on_device)
        order = {"seed": seed, "batch_size": batch_size, "pool": pool, "motions": len(train)}
        augment = (
            partial(Augmentation(**augmentation), normalizer=train.normalizer)
            if augmentation
            else None
        )
        module = Training(model, lr, order, run_dir / "failures", decay, augment, text_pairs)
        loaders = (
            training_loader(training, batch_size, pool, seed, device.type == "cuda", *place),
            validation_loader(validation, batch_size, *place),
        )
        _run(lightning, module, loaders, run_dir, resume_from)
        return epochs.rows[-1] if epochs.rows else {}


def _run(
    lightning: pl.Trainer,
    module: Training,
    loaders: tuple[DataLoader, DataLoader],
    run_dir: Path,
    resume_from: Path | None,
) -> None:
    remedy = f"python train.py resume_dir={shlex.quote(str(run_dir))}"
    try:
        lightning.fit(
            module,
            *loaders,
            ckpt_path=resume_from,
            weights_only=True if resume_from else None,
        )
    except (OSError, RuntimeError, WriteError) as error:
        if not disk_is_full(error):
            raise
        raise InputError(
            f"no space left on the disk of {run_dir}; the last checkpoint is whole; make space, "
            f"then: {remedy}"
        ) from error
    except SystemExit:
        if lightning.interrupted:  # Lightning makes an exit with code 1 of Ctrl-C
            raise KeyboardInterrupt(f"interrupted; resume with: {remedy}") from None
        raise
