"""Sequences of different lengths in one tensor."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Padded:
    """Variable-length sequences padded with zeros to the longest; ``mask`` is True on real frames.

    The mask is a prefix: real frames first, padding behind them. ``known`` are the lengths as
    Python numbers, where they are at hand: to read them from a GPU is to wait for it.
    """

    x: Float[Tensor, "batch time feat"]
    mask: Bool[Tensor, "batch time"]
    known: tuple[int, ...] | None = None

    @property
    def lengths(self) -> Int[Tensor, " batch"]:
        """Number of real frames of each sequence."""
        return self.mask.sum(dim=1)

    def counts(self) -> tuple[int, ...]:
        """``lengths`` as Python numbers."""
        return tuple(self.lengths.tolist()) if self.known is None else self.known

    def __len__(self) -> int:
        """Number of sequences."""
        return len(self.x)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "Padded":
        """The same sequences on ``device``."""
        return replace(
            self,
            x=self.x.to(device, non_blocking=non_blocking),
            mask=self.mask.to(device, non_blocking=non_blocking),
        )

    def pin_memory(self) -> "Padded":
        """The same sequences in page-locked memory, for asynchronous copies to a GPU."""
        return replace(self, x=self.x.pin_memory(), mask=self.mask.pin_memory())


def mask_of(lengths: Sequence[int] | Int[Tensor, " batch"]) -> Bool[Tensor, "batch time"]:
    """True on the first ``lengths[i]`` positions of row i; as wide as the longest."""
    lengths = torch.as_tensor(lengths)
    return torch.arange(int(lengths.max()), device=lengths.device) < lengths[:, None]


def pad(sequences: Sequence[Float[Tensor, "_ feat"]]) -> Padded:
    """Sequences stacked into one padded batch."""
    x = torch.nn.utils.rnn.pad_sequence(list(sequences), batch_first=True)
    lengths = tuple(len(sequence) for sequence in sequences)
    return Padded(x, mask_of(lengths).to(x.device), lengths)


def pieces(sequences: Padded, size: int) -> list[tuple[Int[Tensor, " piece"], Padded]]:
    """The sequences from long to short in groups of ``size``, each cut to its own longest.

    With each group come the rows that its sequences have in the batch.
    """
    rows = sequences.lengths.argsort(descending=True, stable=True).split(size)
    groups = []
    for index in rows:
        longest = int(sequences.lengths[index[0]])
        group = Padded(sequences.x[index, :longest], sequences.mask[index, :longest])
        groups.append((index, group))
    return groups


@dataclass(frozen=True, slots=True)
class Packed:
    """Variable-length sequences one behind the other, a row a frame, without padding."""

    x: Float[Tensor, "rows feat"]
    lengths: tuple[int, ...]

    @staticmethod
    def of(sequences: Padded) -> "Packed":
        """The real frames of padded sequences; no GPU is waited for where lengths are known."""
        lengths = sequences.counts()
        owner, position = owners(lengths, sequences.x.device)
        return Packed(sequences.x[owner, position], lengths)

    def padded(self) -> Padded:
        """The sequences padded with zeros to the longest one."""
        owner, position = owners(self.lengths, self.x.device)
        x = self.x.new_zeros(len(self.lengths), max(self.lengths), self.x.shape[1])
        mask = torch.zeros(x.shape[:2], dtype=torch.bool, device=x.device)
        x[owner, position], mask[owner, position] = self.x, True
        return Padded(x, mask, self.lengths)

    def __len__(self) -> int:
        """Number of sequences."""
        return len(self.lengths)


def owners(
    lengths: Sequence[int], device: torch.device | str
) -> tuple[Int[Tensor, " rows"], Int[Tensor, " rows"]]:
    """The sequence that each packed row belongs to, and its place there."""
    counts = torch.tensor(lengths)
    starts = counts.cumsum(dim=0) - counts
    on_device = torch.stack([counts, starts]).to(device, non_blocking=True)
    sequences = torch.arange(len(lengths), device=device)
    owner = sequences.repeat_interleave(on_device[0], output_size=sum(lengths))
    return owner, torch.arange(len(owner), device=device) - on_device[1][owner]


def spans(lengths: Sequence[int]) -> Iterator[slice]:
    """The rows of each packed sequence."""
    end = 0
    for length in lengths:
        yield slice(end, end + length)
        end += length


def starts(lengths: Sequence[int]) -> list[int]:
    """The first row of each packed sequence."""
    return [span.start for span in spans(lengths)]
