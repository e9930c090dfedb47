"""Batches divided among processes that train together, from any batch of an epoch on."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Protocol, TypeVar, runtime_checkable

from torch.utils.data import Sampler

Index = TypeVar("Index")


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


class Shares(Sampler[list[Index]]):
    """What process ``rank`` of ``world`` takes of each whole batch: every ``world``-th sample.

    The shares of all processes are together the batch that one process would take, and neighbours
    in the order of a batch, which may be sorted by length, go to different processes.

    All processes take the same number of steps. Where a batch has fewer samples than there are
    processes, one without a share takes the first sample in its stead, so that it has something to
    compute; such batches' numbers are in ``stand_ins``, and the sample must count for nothing.
    """

    def __init__(self, batches: WholeBatches[Index], rank: int = 0, world: int = 1) -> None:
        self.batches = batches
        self.rank = rank
        self.world = world
        self.stand_ins: set[int] = set()
        self.first = 0

    @property
    def sampler(self) -> "Shares[Index]":
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
        self.stand_ins.clear()
        rest: Iterable[list[Index]] = islice(self.batches, first, None)
        for number, batch in enumerate(rest, first):
            share = batch[self.rank :: self.world]
            if not share:
                self.stand_ins.add(number)
            yield share or batch[:1]
