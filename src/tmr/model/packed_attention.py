"""Attention over packed sequences: they are padded for it, in groups of like length.

Attention alone works on whole sequences; all else in a transformer works on tokens, and sees no
padding. torch's attention over sequences of any length (``torch.nn.attention.varlen``) has no
dropout on its weights, and nested tensors go through Python at every operation.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.autograd import Function

from tmr.sequences import sequence_and_position, starts

# Sequences of a group. On two CPU cores 4 to 8 are fastest at a batch of 32, because what a group
# needs stays in the cache; a GPU is filled by many, and each group is launched on its own.
GROUP_SIZE = {"cpu": 8}
GROUP_SIZE_OF_GPUS = 64
MULTIPLE = 8  # of a group's length: what attention kernels like, and fewer shapes


@dataclass(frozen=True)
class PaddedGroups:
    """Packed sequences as padded groups, from the longest sequences to the shortest.

    The groups lie one after the other in one matrix of padded positions. ``token`` is the packed
    token at each position (token 0 at padding), ``is_real`` whether there is one, ``position`` the
    position of each packed token, and ``order`` the sequences as they lie. Each group has a shape
    (sequences, time), and a bias for its attention scores: -inf at padding.
    """

    token: Int[Tensor, " positions"]
    is_real: Bool[Tensor, " positions"]
    position: Int[Tensor, " tokens"]
    order: Int[Tensor, " sequences"]
    shapes: tuple[tuple[int, int], ...]
    biases: tuple[Float[Tensor, "_ 1 1 _"], ...]

    @staticmethod
    def of(lengths: Sequence[int], device: torch.device) -> "PaddedGroups":
        """The groups of packed sequences. No GPU is waited for: shapes follow from ``lengths``."""
        size = GROUP_SIZE.get(device.type, GROUP_SIZE_OF_GPUS)
        order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
        groups = [order[start : start + size] for start in range(0, len(order), size)]
        shapes = tuple((len(g), math.ceil(lengths[g[0]] / MULTIPLE) * MULTIPLE) for g in groups)
        widths = [time for count, time in shapes for _ in range(count)]
        first_position = dict(zip(order, starts(widths), strict=True))
        first_token = starts(lengths)
        table = torch.tensor(
            [
                order,
                [first_token[i] for i in order],
                [lengths[i] for i in order],
                [first_position[i] for i in range(len(lengths))],
            ]
        ).to(device, non_blocking=True)
        row, time = sequence_and_position(widths, device)
        is_real = time < table[2][row]
        sequence, time_of_token = sequence_and_position(lengths, device)
        bias = torch.zeros(len(is_real), device=device).masked_fill(~is_real, -torch.inf)
        return PaddedGroups(
            token=torch.where(is_real, table[1][row] + time, 0),
            is_real=is_real,
            position=table[3][sequence] + time_of_token,
            order=table[0],
            shapes=shapes,
            biases=tuple(
                part.view(count, 1, 1, time)
                for part, (count, time) in zip(
                    bias.split([count * time for count, time in shapes]), shapes, strict=True
                )
            ),
        )

    def pad(self, x: Float[Tensor, "tokens feat"]) -> list[Float[Tensor, "_ _ feat"]]:
        """Packed tokens in their groups; zero at padding."""
        padded = _Pad.apply(x, self.token, self.is_real, self.position)
        parts = padded.split([count * time for count, time in self.shapes])
        return [part.unflatten(0, shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def unpad(self, groups: Sequence[Float[Tensor, "_ _ feat"]]) -> Float[Tensor, "tokens feat"]:
        """The packed tokens of groups."""
        padded = torch.cat([group.flatten(0, 1) for group in groups])
        return _Unpad.apply(padded, self.token, self.is_real, self.position)

    def split(self, x: Float[Tensor, "sequences *feat"]) -> list[Float[Tensor, "_ *feat"]]:
        """One entry for each sequence, in the groups."""
        return list(x.index_select(0, self.order).split([count for count, _ in self.shapes]))

    def join(self, groups: Sequence[Float[Tensor, "_ *feat"]]) -> Float[Tensor, "sequences *feat"]:
        """The inverse of ``split``."""
        return torch.cat(list(groups)).index_select(0, self.order.argsort())


class _Pad(Function):
    """Tokens at their positions. Its gradient is ``_Unpad``: a gather, where torch would add."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, token: Tensor, is_real: Tensor, position: Tensor) -> Tensor:
        ctx.save_for_backward(token, is_real, position)
        return x.index_select(0, token).masked_fill_(~is_real[:, None], 0)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return _Unpad.apply(gradients[0], *ctx.saved_tensors), None, None, None


class _Unpad(Function):
    """What is at each token's position."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, token: Tensor, is_real: Tensor, position: Tensor) -> Tensor:
        ctx.save_for_backward(token, is_real, position)
        return x.index_select(0, position)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return _Pad.apply(gradients[0], *ctx.saved_tensors), None, None, None


def dropout(x: Float[Tensor, "*shape"], p: float) -> Float[Tensor, "*shape"]:
    """``x`` with entries zeroed with probability ``p`` and the rest scaled up to keep the mean.

    On the CPU, p is rounded to 1/256 (0.1 becomes 26/256), because one random byte an entry is
    four times as fast as torch's own dropout.
    """
    if p == 0 or x.device.type != "cpu":
        return F.dropout(x, p)
    zeroed = round(256 * p)
    words = torch.empty(math.ceil(x.numel() / 8), dtype=torch.int64).random_(-(2**63), None)
    keep = words.view(torch.uint8)[: x.numel()].view(x.shape).ge_(zeroed)
    return x * keep.to(x.dtype).mul_(256 / (256 - zeroed))


def attend(
    q: Float[Tensor, "batch heads queries width"],
    k: Float[Tensor, "batch heads time width"],
    v: Float[Tensor, "batch heads time width"],
    bias: Float[Tensor, "batch 1 1 time"],
    p: float,
) -> Float[Tensor, "batch heads queries width"]:
    """softmax(q k^T / sqrt(width) + bias) v, with dropout ``p`` on the softmax.

    On the CPU, torch's own function drops out slowly, so it serves only without dropout.
    """
    if p == 0 or q.device.type != "cpu":
        return F.scaled_dot_product_attention(q, k, v, attn_mask=bias.to(q.dtype), dropout_p=p)
    scores = (q / math.sqrt(q.shape[-1])) @ k.mT + bias
    return dropout(scores.softmax(dim=-1), p) @ v
