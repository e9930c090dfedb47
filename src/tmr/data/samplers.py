"""Batches of similar length, in a random order that a seed and an epoch determine."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from torch.utils.data import BatchSampler, DataLoader, Sampler, SequentialSampler

from tmr.data.dataset import Batch, TextMotionDataset, collate
from tmr.data.device_dataset import DeviceDataset

Index = TypeVar("Index")


class LengthBucketSampler(Sampler[list[tuple[int, int]]]):
    """Batches of (motion, caption) indices; one random caption of each motion an epoch.

    Motions are shuffled, cut into pools of ``pool`` batches, sorted by length inside a pool, cut
    into batches, and the batches are shuffled. A pool of one batch is plain shuffling.
    """

    def __init__(
        self, lengths: Sequence[Sequence[int]], batch_size: int, pool: int, seed: int
    ) -> None:
        self.lengths = lengths
        self.counts = np.array([len(captions) for captions in lengths])
        self.batch_size = batch_size
        self.pool = pool
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of an epoch; the same seed and epoch give the same batches."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Number of batches, the last partial one included."""
        return math.ceil(len(self.lengths) / self.batch_size)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        """Batches of this epoch."""
        random = np.random.default_rng((self.seed, self.epoch))
        captions = random.integers(self.counts)
        lengths = np.array([self.lengths[i][c] for i, c in enumerate(captions)])
        order = random.permutation(len(self.lengths))
        size = self.pool * self.batch_size
        batches = [
            batch
            for start in range(0, len(order), size)
            for batch in self._cut(order[start : start + size], lengths)
        ]
        for i in random.permutation(len(batches)):
            yield [(int(motion), int(captions[motion])) for motion in batches[i]]

    def _cut(self, pool: np.ndarray, lengths: np.ndarray) -> list[np.ndarray]:
        by_length = pool[np.argsort(lengths[pool], kind="stable")]
        return [
            by_length[start : start + self.batch_size]
            for start in range(0, len(pool), self.batch_size)
        ]


@runtime_checkable
class WholeBatches(Protocol[Index]):
    """Lists of indices, one for each whole batch."""

    def __iter__(self) -> Iterator[list[Index]]: ...
    def __len__(self) -> int: ...


@runtime_checkable
class Shuffled(Protocol):
    """Batches whose order has epochs."""

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of an epoch."""


class DistributedBatchSampler(Sampler[list[Index]]):
    """What a process takes of each whole batch: every ``num_processes``-th sample.

    The shares of all processes are together the batch that one process would take, and neighbors
    in the order of a batch, which may be sorted by length, go to different processes.

    All processes take the same number of steps. Where a batch has fewer samples than there are
    processes, one without a share takes the first sample in its stead, so that it has something to
    compute. Such batches' numbers are in ``placeholder_batches``; the sample must not count.
    """

    def __init__(
        self, batches: WholeBatches[Index], process_rank: int = 0, num_processes: int = 1
    ) -> None:
        self.batches = batches
        self.process_rank = process_rank
        self.num_processes = num_processes
        self.placeholder_batches: set[int] = set()
        self.first = 0

    @property
    def sampler(self) -> "DistributedBatchSampler[Index]":
        """Itself: where Lightning looks for ``set_epoch``, and calls it before each epoch."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of an epoch, where epochs differ."""
        if isinstance(self.batches, Shuffled):
            self.batches.set_epoch(epoch)

    def start_at(self, batch: int) -> None:
        """Leave out the batches before number ``batch`` in the next pass, as already trained on."""
        self.first = batch

    def __len__(self) -> int:
        """Number of batches of a whole pass."""
        return len(self.batches)

    def __iter__(self) -> Iterator[list[Index]]:
        """The shares of a pass. A pass begins when its first batch is asked for."""
        first, self.first = self.first, 0
        self.placeholder_batches.clear()
        rest: Iterable[list[Index]] = islice(self.batches, first, None)
        for number, batch in enumerate(rest, first):
            share = batch[self.process_rank :: self.num_processes]
            if not share:
                self.placeholder_batches.add(number)
            yield share or batch[:1]


def training_loader(
    dataset: TextMotionDataset | DeviceDataset,
    batch_size: int,
    pool: int,
    seed: int,
    pin_memory: bool = False,
    process_rank: int = 0,
    num_processes: int = 1,
) -> DataLoader:
    """Batches for training; Lightning calls ``loader.batch_sampler.set_epoch`` before each epoch.

    Of each batch of ``batch_size`` samples come those of process ``process_rank``. Motions are in
    memory or on the device, so a batch is a few slices, or gathered there: worker processes would
    only add a copy. The loader has a generator of its own, because it draws a seed whenever
    it starts, in a resumed run at another moment than in an undisturbed one.
    """
    batches = LengthBucketSampler(dataset.lengths(), batch_size, pool, seed)
    return DataLoader(
        dataset,
        batch_sampler=DistributedBatchSampler(batches, process_rank, num_processes),
        collate_fn=_collate(dataset),
        pin_memory=pin_memory and not isinstance(dataset, DeviceDataset),
        generator=torch.Generator(),
    )


def validation_loader(
    dataset: TextMotionDataset | DeviceDataset,
    batch_size: int,
    process_rank: int = 0,
    num_processes: int = 1,
) -> DataLoader:
    """Batches of first captions in the order of the split: losses that compare samples of a batch
    need batches of mixed lengths, and the same ones every epoch."""
    batches = BatchSampler(SequentialSampler(dataset), batch_size, drop_last=False)
    sampler = DistributedBatchSampler(batches, process_rank, num_processes)
    return DataLoader(dataset, batch_sampler=sampler, collate_fn=_collate(dataset))


def _collate(dataset: TextMotionDataset | DeviceDataset) -> Callable[..., Batch]:
    return _as_it_is if isinstance(dataset, DeviceDataset) else collate


def _as_it_is(batch: Batch) -> Batch:
    return batch
