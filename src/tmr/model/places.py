"""Packed rows laid out for attention, which works on sequences: padded groups of like length."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.autograd import Function

from tmr.sequences import owners, starts

GROUP_SIZE = 64  # sequences of a group: a GPU is filled by many, each group is launched on its own
MULTIPLE = 8  # of a group's length: what attention kernels like, and fewer shapes


@dataclass(frozen=True)
class Places:
    """Where each row of packed sequences stands in padded groups, from long to short.

    The groups lie one behind the other in one long padded sequence of rows: ``rows`` says which
    packed row is at each place (the first one at padding), ``real`` where there is one, ``back``
    where each packed row is. ``shapes`` are sequences and frames of each group, ``masks`` what its
    attention scores get on top (-inf at padding), and ``order`` are the sequences as they lie.
    """

    rows: Int[Tensor, " places"]
    real: Bool[Tensor, " places"]
    back: Int[Tensor, " rows"]
    order: Int[Tensor, " sequences"]
    shapes: tuple[tuple[int, int], ...]
    masks: tuple[Float[Tensor, "_ 1 1 _"], ...]

    @staticmethod
    def of(lengths: Sequence[int], device: torch.device) -> "Places":
        """The places of packed sequences. No GPU is waited for: its shapes are all known here."""
        order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
        groups = [order[start : start + GROUP_SIZE] for start in range(0, len(order), GROUP_SIZE)]
        shapes = tuple((len(g), -(-lengths[g[0]] // MULTIPLE) * MULTIPLE) for g in groups)
        widths = [time for count, time in shapes for _ in range(count)]
        begin_of = dict(zip(order, starts(widths), strict=True))
        first = starts(lengths)
        table = torch.tensor(
            [
                order,
                widths,
                [first[i] for i in order],
                [lengths[i] for i in order],
                [begin_of[i] for i in range(len(lengths))],
            ]
        ).to(device, non_blocking=True)
        lying, place = owners(widths, device)
        owner, position = owners(lengths, device)
        real = place < table[3][lying]
        rows = torch.where(real, table[2][lying] + place, 0)
        added = torch.zeros(len(real), device=device).masked_fill(~real, -torch.inf)
        sizes = [count * time for count, time in shapes]
        masks = tuple(
            part.reshape(count, 1, 1, time)
            for part, (count, time) in zip(added.split(sizes), shapes, strict=True)
        )
        return Places(rows, real, table[4][owner] + position, table[0], shapes, masks)

    def pad(self, x: Float[Tensor, "rows feat"]) -> list[Float[Tensor, "_ _ feat"]]:
        """The rows in their groups, zero at padding."""
        padded = Pad.apply(x, self.rows, self.real, self.back)
        parts = padded.split([count * time for count, time in self.shapes])
        return [part.unflatten(0, shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def unpad(self, groups: Sequence[Float[Tensor, "_ _ feat"]]) -> Float[Tensor, "rows feat"]:
        """The rows back in their order."""
        padded = torch.cat([group.flatten(0, 1) for group in groups])
        return Unpad.apply(padded, self.rows, self.real, self.back)

    def share(self, x: Float[Tensor, "sequences *feat"]) -> list[Float[Tensor, "_ *feat"]]:
        """What there is one of for each sequence, in the groups."""
        return list(x.index_select(0, self.order).split([count for count, _ in self.shapes]))

    def unshare(
        self, groups: Sequence[Float[Tensor, "_ *feat"]]
    ) -> Float[Tensor, "sequences *feat"]:
        """The inverse of ``share``."""
        return torch.cat(list(groups)).index_select(0, self.order.argsort())

    def spread(self, x: Float[Tensor, "sequences feat"]) -> Float[Tensor, "rows feat"]:
        """Each sequence's entry at all of its rows."""
        groups = zip(self.share(x), self.shapes, strict=True)
        return self.unpad([part[:, None].expand(-1, time, -1) for part, (_, time) in groups])


class Pad(Function):
    """Rows at their places. Its gradient is ``Unpad``: each is a gather, where torch would add."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rows: Tensor, real: Tensor, back: Tensor) -> Tensor:
        """Zero where no row is."""
        ctx.save_for_backward(rows, real, back)
        return x.index_select(0, rows).masked_fill(~real[:, None], 0)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """The gradient at each row's place."""
        rows, real, back = ctx.saved_tensors
        return Unpad.apply(gradients[0], rows, real, back), None, None, None


class Unpad(Function):
    """What is at each row's place."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rows: Tensor, real: Tensor, back: Tensor) -> Tensor:
        """Padding is left out."""
        ctx.save_for_backward(rows, real, back)
        return x.index_select(0, back)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """The gradient of each row at its place, zero at padding."""
        rows, real, back = ctx.saved_tensors
        return Pad.apply(gradients[0], rows, real, back), None, None, None
