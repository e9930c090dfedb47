"""The Lightning module around a model: steps, logging, optimizer, and exact resuming."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
import torch.distributed as dist
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.nn.utils import get_total_norm
from torch.optim.lr_scheduler import LambdaLR
from torchmetrics import MeanMetric

from tmr.data import Batch, CaptionPool, DistributedBatchSampler
from tmr.errors import InputError
from tmr.model import SINGLE_PROCESS, TEMOS, DistributedProcessGroup, ProcessGroup
from tmr.retrieval import Encoded, both_directions, cosine_similarity
from tmr.retrieval.encode import join
from tmr.retrieval.metrics import RECALLS
from tmr.retrieval.sides import side_preferences
from tmr.sequences import Packed
from tmr.training.failure import Failure


class Training(pl.LightningModule):
    """Trains a TEMOS or TMR with AdamW, with its retrieval metrics on validation data.

    Logs ``train/TERM`` and ``val/TERM`` for every loss term, ``val/t2m/R01`` and so on for the
    whole validation split, ``val/recall``, the mean of R@1, 2, 3, 5 and 10 both ways, and
    ``val/sides/t2m`` and ``m2t`` where captions name a side (see ``side_preferences``).

    On several processes, each has its share of every batch (see ``DistributedBatchSampler``), and
    losses, their gradients and all metrics are those of one process, but for the random numbers:
    every process draws its own.

    The learning rate is ``lr``, and falls to zero in a straight line over ``decay``, a share of all
    steps, at the end. ``order`` is what the order of the batches depends on: a checkpoint in
    mid-epoch is resumed only with the same. The state of a step that fails goes to ``failures``.
    ``text_pairs`` has a pool for ``train`` and one for ``val``: each batch comes with as many pairs
    of captions, chosen by where it stands.

    Raises:
        InputError: ``decay`` is no share.
    """

    def __init__(
        self,
        model: TEMOS,
        lr: float,
        order: Mapping[str, int],
        failures: Path,
        decay: float | int = 0.0,
        augment: Callable[[Packed], Packed] | None = None,
        text_pairs: Mapping[str, CaptionPool] | None = None,
    ) -> None:
        super().__init__()
        if not 0 <= decay <= 1:
            raise InputError(f"decay={decay} is no share of a run; give a number from 0 to 1")
        self.model = model
        self.augment = augment
        self.text_pairs = text_pairs or {}
        self.lr = lr
        self.decay = decay
        self.order = dict(order)
        self.failures = failures
        self.means: dict[str, dict[str, MeanMetric]] = {"train": {}, "val": {}}
        self.encoded: list[Encoded] = []
        self.resumed: dict[str, Any] | None = None

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW; fused, it takes a sixth of the time."""
        optimizer = torch.optim.AdamW(self.model.parameters(), lr=self.lr, fused=True)
        # A plain function: of any other callable, the scheduler saves the attributes.
        scheduler = LambdaLR(optimizer, lambda step: self._lr_factor(step))  # noqa: PLW0108
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def _lr_factor(self, step: int) -> float:
        if self.decay == 0:
            return 1.0
        steps = self.trainer.estimated_stepping_batches
        return min(1.0, (steps - step) / (self.decay * steps))

    def transfer_batch_to_device(
        self, batch: Batch, device: torch.device, dataloader_idx: int
    ) -> Batch:
        """The batch on ``device``, copied while the last step still computes."""
        return batch.to(device, non_blocking=True)

    def on_train_start(self) -> None:
        """Resume in the middle of an epoch, where the checkpoint was written there."""
        self._restart_schedule()
        if self.resumed is None:
            return
        if self.resumed["batches"]:
            if self.resumed["order"] != self.order:
                raise InputError(
                    "the checkpoint is in the middle of an epoch with "
                    f"{shown(self.resumed['order'])}, and cannot be resumed with "
                    f"{shown(self.order)}: the epoch's batches would differ"
                )
            self._sampler("train").start_at(self.resumed["batches"])
            self._load_means("train", self.resumed["train"])
        self.resumed = None

    def _restart_schedule(self) -> None:
        """The learning rate by this run's own options: `train.py resume_dir=R lr=1e-4` resumes with
        1e-4, not with what the checkpoint brings."""
        scheduler, step = self.lr_schedulers(), self.trainer.global_step
        assert isinstance(scheduler, LambdaLR)
        scheduler.base_lrs = [self.lr] * len(scheduler.base_lrs)
        scheduler.last_epoch = step
        for group in scheduler.optimizer.param_groups:
            group["lr"] = self.lr * self._lr_factor(step)

    def on_train_epoch_start(self) -> None:
        """Begin the epoch's means."""
        self._reset_means("train")

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Choose the step's random numbers by where it stands: a resumed run draws the same."""
        torch.manual_seed(self._random_seed(batch_idx))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss of a batch, its motions augmented where that is wanted."""
        if self.augment is not None:
            batch = replace(batch, motion=self.augment(batch.motion))
        group, count = self._process_group("train", batch, batch_idx)
        batch = self._with_pairs("train", batch, batch_idx, group, count)
        losses = self.model(batch, group=group).losses
        self._add_to_means("train", losses, count)
        self.latest = batch, batch_idx, losses
        return losses["loss"]

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Stop before weights are spoiled.

        Gradients are averaged over the processes by now, so all of them find the same and stop.
        With float16, infinite ones are the loss scaler's business.
        """
        if getattr(self.trainer.precision_plugin, "scaler", None) is not None:
            return
        batch, batch_idx, losses = self.latest
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        norm = get_total_norm(gradients)
        if not bool(torch.isfinite(norm + losses["loss"].detach())):
            failure = Failure(
                batch=batch,
                epoch=self.current_epoch,
                step=batch_idx,
                seed=self._random_seed(batch_idx),
                losses={name: float(value.detach()) for name, value in losses.items()},
                gradient_norm=float(norm),
            )
            raise failure.error(failure.save(self.failures, self.global_rank, self.model))

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Log the epoch's losses with its last batch, before callbacks look at them."""
        if self.trainer.is_last_batch:
            self._log_means("train")

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Losses of a batch, and its latents for the metrics of the whole split."""
        group, count = self._process_group("val", batch, batch_idx)
        batch = self._with_pairs("val", batch, batch_idx, group, count)
        step = self.model(batch, group=group)
        self._add_to_means("val", step.losses, count)
        if batch_idx not in self._sampler("val").placeholder_batches:
            text, motion = step.text.float().cpu(), step.motion.float().cpu()
            self.encoded.append(
                Encoded(batch.keys, batch.captions, text, motion, batch.sentences.cpu())
            )

    def on_validation_epoch_end(self) -> None:
        """Retrieval metrics of the whole validation split."""
        encoded = join(self._all_gather(self.encoded))
        self.encoded.clear()
        self._log_means("val")
        self._reset_means("val")
        metrics = both_directions(cosine_similarity(encoded.text, encoded.motion), tie_safe=True)
        recalls = [
            metrics[f"{direction}/R{k:02d}"] for direction in ("t2m", "m2t") for k in RECALLS
        ]
        metrics |= side_preferences(encoded).figures()
        logged = {f"val/{name}": value for name, value in metrics.items() if "len" not in name}
        self.log_dict(logged | {"val/recall": sum(recalls) / len(recalls)}, batch_size=1)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep how far the epoch is: zero batches when it is over."""
        done = self.trainer.fit_loop.epoch_loop.batch_progress.current.ready
        checkpoint["epoch_so_far"] = {
            "batches": done % int(self.trainer.num_training_batches),
            "order": self.order,
            "train": self._means_state("train"),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Remember how far the epoch was. Checkpoints that do not say are of whole epochs."""
        self.resumed = checkpoint.get("epoch_so_far")

    def _with_pairs(
        self, stage: str, batch: Batch, batch_idx: int, group: ProcessGroup, count: int
    ) -> Batch:
        """The batch with its share of ``count`` pairs, which are the same on any processes; those
        of validation are the same in every epoch."""
        if stage not in self.text_pairs:
            return batch
        pool = self.text_pairs[stage]
        epoch = self.current_epoch if stage == "train" else 0
        drawn = pool.draw(count, seed_of(self.order["seed"], epoch, batch_idx))
        pairs = pool.pairs(group.share(drawn) or drawn[:1])
        return replace(batch, pairs=pairs.to(self.device))

    def _random_seed(self, batch_idx: int) -> int:
        return seed_of(self.order["seed"], self.current_epoch, batch_idx, self.global_rank)

    def _sampler(self, stage: str) -> DistributedBatchSampler:
        loaders = {"train": self.trainer.train_dataloader, "val": self.trainer.val_dataloaders}
        loader = loaders[stage]
        assert loader is not None
        return loader.batch_sampler

    def _process_group(self, stage: str, batch: Batch, batch_idx: int) -> tuple[ProcessGroup, int]:
        """Where the rest of a batch is, and the number of samples in all of it."""
        if self.trainer.world_size == 1:
            return SINGLE_PROCESS, len(batch)
        count = 0 if batch_idx in self._sampler(stage).placeholder_batches else len(batch)
        mine = torch.tensor([count, max(batch.motion.lengths)], device=self.device)
        everywhere = [torch.empty_like(mine) for _ in range(self.trainer.world_size)]
        dist.all_gather(everywhere, mine)
        counts, longest = torch.stack(everywhere).T.tolist()
        return DistributedProcessGroup(self.global_rank, counts, max(longest)), sum(counts)

    def _all_gather(self, parts: list[Encoded]) -> list[Encoded]:
        """The parts of all processes."""
        if self.trainer.world_size == 1:
            return parts
        everywhere: list[list[Encoded]] = [[] for _ in range(self.trainer.world_size)]
        dist.all_gather_object(everywhere, parts)
        return [part for parts in everywhere for part in parts]

    def _mean_over_processes(self, value: Tensor) -> Tensor:
        reduced = self.trainer.strategy.reduce(value, reduce_op="mean")
        assert isinstance(reduced, Tensor)
        return reduced

    def _add_to_means(self, stage: str, losses: Mapping[str, Tensor], count: int) -> None:
        for name, value in losses.items():
            self._mean(stage, name).update(value.detach().float(), weight=count)

    def _mean(self, stage: str, name: str) -> MeanMetric:
        if name not in self.means[stage]:
            self.means[stage][name] = MeanMetric(nan_strategy="disable").to(self.device)
        return self.means[stage][name]

    def _reset_means(self, stage: str) -> None:
        for mean in self.means[stage].values():
            mean.reset()

    def _log_means(self, stage: str) -> None:
        """Log means over the samples of an epoch, of all processes.

        Lightning's own averages are not in its checkpoints, so they would miss what was trained
        before one in mid-epoch.
        """
        means = {f"{stage}/{name}": mean.compute() for name, mean in self.means[stage].items()}
        self.log_dict(means, on_step=False, on_epoch=True, batch_size=1)

    def _means_state(self, stage: str) -> dict[str, Any]:
        """Sums so far and the samples in them; on several processes their means, so that each of
        them resumes with its part."""
        means, reduce = self.means[stage], self._mean_over_processes
        return {
            "sums": {name: reduce(mean.mean_value.clone()) for name, mean in means.items()},
            "count": max((float(mean.weight) for mean in means.values()), default=0.0),
        }

    def _load_means(self, stage: str, state: Mapping[str, Any]) -> None:
        for name, total in state["sums"].items():
            mean = self._mean(stage, name)
            mean.mean_value = total.to(self.device)
            mean.weight = torch.as_tensor(float(state["count"]), device=self.device)


def seed_of(*place: int) -> int:
    """A seed of its own for each place."""
    return int(np.random.SeedSequence(place).generate_state(1, np.uint64)[0])


def shown(options: Mapping[str, int]) -> str:
    """Options as on the command line."""
    return " ".join(f"{name}={value}" for name, value in options.items())
