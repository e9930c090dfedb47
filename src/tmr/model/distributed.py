"""Losses over a batch that lies on several processes."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from tmr.sequences import Padded


class ProcessGroup:
    """A batch on one process: nothing is elsewhere."""

    def gather(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Each tensor (first axis: samples) with the rows of all processes."""
        return tensors

    def share(self, motion: Padded) -> float:
        """What a mean over this process's padded entries counts for in that of the whole batch."""
        return 1.0


SINGLE_PROCESS = ProcessGroup()


class DistributedProcessGroup(ProcessGroup):
    """A batch of which process r of the default group has ``counts[r]`` samples.

    ``frames`` is the padded length of the whole batch: its longest motion is on some process.

    With this, the mean over the processes of each loss, and of its gradients, is that of the whole
    batch on one process, so it fits ``DistributedDataParallel``, which averages gradients.
    """

    def __init__(self, rank: int, counts: Sequence[int], frames: int) -> None:
        self.rank = rank
        self.counts = tuple(counts)
        self.frames = frames

    def gather(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Each matrix with the rows of all processes, in one exchange; gradients flow back.

        A process with a count of zero has a placeholder row and contributes none (see
        ``tmr.data.DistributedBatchSampler``).
        """
        whole = _Gather.apply(torch.cat(tensors, dim=1), self)
        return whole.split([tensor.shape[1] for tensor in tensors], dim=1)

    def share(self, motion: Padded) -> float:
        """What a mean over this process's padded entries counts for in that of the whole batch."""
        mine = self.counts[self.rank] * motion.x.shape[1]
        return len(self.counts) * mine / (sum(self.counts) * self.frames)


class _Gather(torch.autograd.Function):
    """Rows of all processes. Processes without the largest count fill up for the exchange."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, ranks: DistributedProcessGroup) -> Tensor:
        ctx.ranks, ctx.shape = ranks, x.shape
        count = ranks.counts[ranks.rank]
        mine = x.new_zeros(max(ranks.counts), x.shape[1])
        mine[:count] = x[:count]
        parts = [torch.empty_like(mine) for _ in ranks.counts]
        dist.all_gather(parts, mine)
        pairs = zip(parts, ranks.counts, strict=True)
        return torch.cat([part[:count] for part, count in pairs])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """The gradients of all processes' losses by this process's rows, summed.

        Every process computes the same loss from the same rows, so all have the same gradient,
        and the sum needs no exchange.
        """
        (gradient,) = gradients
        ranks: DistributedProcessGroup = ctx.ranks
        count, first = ranks.counts[ranks.rank], sum(ranks.counts[: ranks.rank])
        mine = gradient.new_zeros(ctx.shape)
        mine[:count] = len(ranks.counts) * gradient[first : first + count]
        return mine, None
