"""Sequences of different lengths in one matrix."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Packed:
    """Variable-length sequences concatenated without padding, a row for each frame or word.

    ``lengths`` are Python numbers, because to read them from a GPU is to wait for it.
    """

    x: Float[Tensor, "tokens feat"]
    lengths: tuple[int, ...]

    def __len__(self) -> int:
        """Number of sequences."""
        return len(self.lengths)

    def unpack(self) -> tuple[Float[Tensor, "_ feat"], ...]:
        """Each sequence on its own; the inverse of ``pack``."""
        return self.x.split(self.lengths)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "Packed":
        """The same sequences on ``device``."""
        return replace(self, x=self.x.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> "Packed":
        """The same sequences in page-locked memory, for asynchronous copies to a GPU."""
        return replace(self, x=self.x.pin_memory())


def pack(sequences: Sequence[Float[Tensor, "_ feat"]]) -> Packed:
    """Sequences concatenated into one batch."""
    return Packed(torch.cat(list(sequences)), tuple(len(sequence) for sequence in sequences))


def starts(lengths: Sequence[int]) -> list[int]:
    """The first row of each packed sequence."""
    return list(accumulate(lengths, initial=0))[:-1]


def sequence_and_position(
    lengths: Sequence[int], device: torch.device | str
) -> tuple[Int[Tensor, " tokens"], Int[Tensor, " tokens"]]:
    """The sequence that each packed row belongs to, and its position there, from zero.

    No GPU is waited for.
    """
    table = torch.tensor([list(lengths), starts(lengths)]).to(device, non_blocking=True)
    count, first = table
    numbers = torch.arange(len(lengths), device=device)
    sequence = numbers.repeat_interleave(count, output_size=sum(lengths))
    return sequence, torch.arange(len(sequence), device=device) - first[sequence]
