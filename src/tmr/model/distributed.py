"""Losses over a batch that lies on several processes."""

from collections.abc import Sequence
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from tmr.sequences import Packed

T = TypeVar("T")


class ProcessGroup:
    """A batch on one process: nothing is elsewhere."""

    def all_gather(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Each tensor (first axis: samples) with the samples of all processes."""
        return tensors

    def share(self, whole: Sequence[T]) -> Sequence[T]:
        """Of something that all processes know, one a sample, what belongs to the samples here."""
        return whole

    def entry_weight(self, motion: Packed) -> float:
        """What each number of ``motion`` counts for in the mean over the padded batch.

        Padding adds to the count of entries alone: it is zero on both sides (TEMOS, eq. 1).
        """
        return 1 / (len(motion) * max(motion.lengths) * motion.x.shape[1])


SINGLE_PROCESS = ProcessGroup()


class DistributedProcessGroup(ProcessGroup):
    """A batch of which process r of the default group has ``counts[r]`` samples.

    ``longest`` is the length of the whole batch's longest motion, which is on some process.

    With this, the mean over the processes of each loss, and of its gradients, is that of the whole
    batch on one process, so it fits ``DistributedDataParallel``, which averages gradients.
    """

    def __init__(self, process_rank: int, counts: Sequence[int], longest: int) -> None:
        self.process_rank = process_rank
        self.counts = tuple(counts)
        self.longest = longest

    def all_gather(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Each matrix with the rows of all processes, in one exchange; gradients flow back.

        A process with a count of zero has a placeholder row and contributes none (see
        ``tmr.data.DistributedBatchSampler``).
        """
        whole = _AllGather.apply(torch.cat(tensors, dim=1), self)
        return whole.split([tensor.shape[1] for tensor in tensors], dim=1)

    def share(self, whole: Sequence[T]) -> Sequence[T]:
        """As many as there are samples here, in the order of ``all_gather``."""
        first = sum(self.counts[: self.process_rank])
        return whole[first : first + self.counts[self.process_rank]]

    def entry_weight(self, motion: Packed) -> float:
        """As on one process, but of the mean over the processes; zero for a placeholder."""
        if self.counts[self.process_rank] == 0:
            return 0.0
        return len(self.counts) / (sum(self.counts) * self.longest * motion.x.shape[1])


class _AllGather(torch.autograd.Function):
    """Rows of all processes. Processes without the largest count fill up for the exchange."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: DistributedProcessGroup) -> Tensor:
        ctx.group, ctx.shape = group, x.shape
        count = group.counts[group.process_rank]
        mine = x.new_zeros(max(group.counts), x.shape[1])
        mine[:count] = x[:count]
        parts = [torch.empty_like(mine) for _ in group.counts]
        dist.all_gather(parts, mine)
        pairs = zip(parts, group.counts, strict=True)
        return torch.cat([part[:count] for part, count in pairs])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """The gradients of all processes' losses by this process's rows, summed.

        Every process computes the same loss from the same rows, so all have the same gradient,
        and the sum needs no exchange.
        """
        (gradient,) = gradients
        group: DistributedProcessGroup = ctx.group
        count = group.counts[group.process_rank]
        first = sum(group.counts[: group.process_rank])
        mine = gradient.new_zeros(ctx.shape)
        mine[:count] = len(group.counts) * gradient[first : first + count]
        return mine, None
