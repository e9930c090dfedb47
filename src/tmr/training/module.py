"""The Lightning module around a model: steps, logging, optimizer, and where an epoch goes on."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.utils import get_total_norm

from tmr.data import Batch, DistributedBatchSampler
from tmr.errors import InputError
from tmr.model import SINGLE_PROCESS, TEMOS, DistributedProcessGroup, ProcessGroup
from tmr.retrieval import Encoded, both_directions, cosine_similarity
from tmr.retrieval.encode import join
from tmr.retrieval.metrics import RECALLS
from tmr.retrieval.sides import side_preferences
from tmr.sequences import Packed
from tmr.training.failure import Failure
from tmr.training.means import Means


class Training(pl.LightningModule):
    """Trains a TEMOS or TMR with AdamW and follows its retrieval figures on validation data.

    Logs ``train/TERM`` and ``val/TERM`` for every loss term, ``val/t2m/R01`` and so on for the
    whole validation split, ``val/recall``, the mean of R@1, 2, 3, 5 and 10 both ways, and
    ``val/sides/t2m`` and ``m2t`` where captions name a side (see ``side_preferences``).

    On several processes, each has its share of every batch (see ``DistributedBatchSampler``), and
    losses, their gradients and all metrics are those of one process, but for the random numbers:
    every process draws its own.

    ``order`` is what the order of the batches depends on: a checkpoint in mid-epoch goes on only
    with the same. Where a step fails, its state goes under ``failures``.
    """

    def __init__(
        self,
        model: TEMOS,
        lr: float,
        order: Mapping[str, int],
        failures: Path,
        augment: Callable[[Packed], Packed] | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.augment = augment
        self.lr = lr
        self.order = dict(order)
        self.failures = failures
        self.means = {"train": Means(), "val": Means()}
        self.encoded: list[Encoded] = []
        self.resumed: dict[str, Any] | None = None

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW; fused, it takes a sixth of the time. `LearningRate` sets the rate of a step."""
        return torch.optim.AdamW(self.model.parameters(), lr=self.lr, fused=True)

    def transfer_batch_to_device(
        self, batch: Batch, device: torch.device, dataloader_idx: int
    ) -> Batch:
        """The batch on ``device``, copied while the last step still computes."""
        return batch.to(device, non_blocking=True)

    def on_train_start(self) -> None:
        """Go on in the middle of an epoch, where the checkpoint was written there."""
        if self.resumed is None:
            return
        if self.resumed["batches"]:
            if self.resumed["order"] != self.order:
                raise InputError(
                    "the checkpoint is in the middle of an epoch with "
                    f"{shown(self.resumed['order'])}, and cannot go on with {shown(self.order)}: "
                    "the epoch's batches would differ"
                )
            self._shares("train").start_at(self.resumed["batches"])
            self.means["train"].load(self.resumed["train"], like=next(self.parameters()))
        self.resumed = None

    def on_train_epoch_start(self) -> None:
        """Begin the epoch's means."""
        self.means["train"].clear()

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Choose the step's random numbers by where it stands: a resumed run draws the same."""
        torch.manual_seed(self._random_seed(batch_idx))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss of a batch, its motions augmented where that is wanted."""
        if self.augment is not None:
            batch = replace(batch, motion=self.augment(batch.motion))
        group, count = self._spread("train", batch, batch_idx)
        losses = self.model(batch, group=group).losses
        self.means["train"].add(losses, count)
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
        """Losses of a batch, and its latents for the figures over the whole split."""
        group, count = self._spread("val", batch, batch_idx)
        step = self.model(batch, group=group)
        self.means["val"].add(step.losses, count)
        if batch_idx not in self._shares("val").placeholder_batches:
            text, motion = step.text.float().cpu(), step.motion.float().cpu()
            self.encoded.append(
                Encoded(batch.keys, batch.captions, text, motion, batch.sentences.cpu())
            )

    def on_validation_epoch_end(self) -> None:
        """Retrieval figures of the whole validation split."""
        encoded = join(self._from_all(self.encoded))
        self.encoded.clear()
        self._log_means("val")
        self.means["val"].clear()
        figures = both_directions(cosine_similarity(encoded.text, encoded.motion), tie_safe=True)
        recalls = [figures[f"{way}/R{k:02d}"] for way in ("t2m", "m2t") for k in RECALLS]
        figures |= side_preferences(encoded).figures()
        shown = {f"val/{name}": value for name, value in figures.items() if "len" not in name}
        self.log_dict(shown | {"val/recall": sum(recalls) / len(recalls)}, batch_size=1)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep how far the epoch is: zero batches when it is over."""
        done = self.trainer.fit_loop.epoch_loop.batch_progress.current.ready
        checkpoint["epoch_so_far"] = {
            "batches": done % int(self.trainer.num_training_batches),
            "order": self.order,
            "train": self.means["train"].state(self._mean_over_ranks),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Remember how far the epoch was. Checkpoints that do not say are of whole epochs."""
        self.resumed = checkpoint.get("epoch_so_far")

    def _random_seed(self, batch_idx: int) -> int:
        place = self.order["seed"], self.current_epoch, batch_idx, self.global_rank
        return int(np.random.SeedSequence(place).generate_state(1, np.uint64)[0])

    def _shares(self, stage: str) -> DistributedBatchSampler:
        loaders = {"train": self.trainer.train_dataloader, "val": self.trainer.val_dataloaders}
        loader = loaders[stage]
        assert loader is not None
        return loader.batch_sampler

    def _spread(self, stage: str, batch: Batch, batch_idx: int) -> tuple[ProcessGroup, int]:
        """Where the rest of a batch is, and the number of samples in all of it."""
        if self.trainer.world_size == 1:
            return SINGLE_PROCESS, len(batch)
        count = 0 if batch_idx in self._shares(stage).placeholder_batches else len(batch)
        mine = torch.tensor([count, max(batch.motion.lengths)], device=self.device)
        everywhere = [torch.empty_like(mine) for _ in range(self.trainer.world_size)]
        dist.all_gather(everywhere, mine)
        counts, longest = torch.stack(everywhere).T.tolist()
        return DistributedProcessGroup(self.global_rank, counts, max(longest)), sum(counts)

    def _from_all(self, parts: list[Encoded]) -> list[Encoded]:
        """The parts of all processes."""
        if self.trainer.world_size == 1:
            return parts
        everywhere: list[list[Encoded]] = [[] for _ in range(self.trainer.world_size)]
        dist.all_gather_object(everywhere, parts)
        return [part for parts in everywhere for part in parts]

    def _mean_over_ranks(self, value: Tensor) -> Tensor:
        reduced = self.trainer.strategy.reduce(value, reduce_op="mean")
        assert isinstance(reduced, Tensor)
        return reduced

    def _log_means(self, stage: str) -> None:
        means = self.means[stage].compute()
        named = {f"{stage}/{n}": self._mean_over_ranks(value) for n, value in means.items()}
        self.log_dict(named, on_step=False, on_epoch=True, batch_size=1)


def shown(options: Mapping[str, int]) -> str:
    """Options as on the command line."""
    return " ".join(f"{name}={value}" for name, value in options.items())
