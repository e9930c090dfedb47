"""PyTorch's post-norm transformer layers with the same weights and mathematics, written for speed.

Weight names inside a layer are PyTorch's own, so published state dicts load. What is faster:
attention over a single memory item costs one product per sequence, an encoder's last layer
computes only the rows that are read, and dropout on the CPU draws eight random bytes at a time.
"""

import math

import torch
import torch.nn.functional as F
from einops import einsum, rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn


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


def padding_bias(mask: Bool[Tensor, "batch time"]) -> Float[Tensor, "batch 1 1 time"] | None:
    """What to add to attention scores: -inf on padding; None when there is no padding.

    Only on the CPU is the mask looked into: on a GPU the look would wait for the device.
    """
    if mask.device.type == "cpu" and bool(mask.all()):
        return None
    bias = torch.zeros(mask.shape, device=mask.device).masked_fill(~mask, -torch.inf)
    return rearrange(bias, "batch time -> batch 1 1 time")


def attend(
    q: Float[Tensor, "batch heads rows width"],
    k: Float[Tensor, "batch heads time width"],
    v: Float[Tensor, "batch heads time width"],
    bias: Float[Tensor, "batch 1 1 time"] | None,
    p: float,
) -> Float[Tensor, "batch heads rows width"]:
    """Softmax attention of q over k and v, with dropout ``p`` on its weights.

    On the CPU, torch's own function drops out slowly, so it serves only without dropout.
    """
    if p == 0 or q.device.type != "cpu":
        bias = None if bias is None else bias.to(q.dtype)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=bias, dropout_p=p)
    scores = (q / math.sqrt(q.shape[-1])) @ k.mT
    if bias is not None:
        scores = scores + bias
    return dropout(scores.softmax(dim=-1), p) @ v


class Attention(nn.Module):
    """The weights of a multi-head attention, named and initialized as PyTorch does.

    Here and in the layers they are drawn in PyTorch's order: a seed gives the same weights.
    """

    def __init__(self, dim: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.dropout = dropout
        self.out_proj = nn.Linear(dim, dim)
        nn.init.zeros_(self.out_proj.bias)
        self.in_proj_weight = nn.Parameter(nn.init.xavier_uniform_(torch.empty(3 * dim, dim)))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * dim))

    @property
    def p(self) -> float:
        """Probability of dropout: zero in evaluation."""
        return self.dropout if self.training else 0.0


class SelfAttention(Attention):
    """Multi-head attention of a sequence over itself."""

    def forward(
        self,
        x: Float[Tensor, "batch time dim"],
        bias: Float[Tensor, "batch 1 1 time"] | None,
        rows: int | None = None,
    ) -> Float[Tensor, "batch rows dim"]:
        """Attention output of the first ``rows`` items (all by default) over the whole sequence."""
        weight, offset, dim = self.in_proj_weight, self.in_proj_bias, x.shape[-1]
        if rows is None:
            q, k, v = self.heads(F.linear(x, weight, offset), 3)
        else:
            (q,) = self.heads(F.linear(x[:, :rows], weight[:dim], offset[:dim]), 1)
            k, v = self.heads(F.linear(x, weight[dim:], offset[dim:]), 2)
        y = attend(q, k, v, bias, self.p)
        return self.out_proj(rearrange(y, "batch heads rows width -> batch rows (heads width)"))

    def heads(
        self, x: Float[Tensor, "batch time features"], parts: int
    ) -> Float[Tensor, "parts batch heads time width"]:
        """Queries, keys or values, ``parts`` of them beside each other, by heads."""
        pattern = "batch time (parts heads width) -> parts batch heads time width"
        return rearrange(x, pattern, parts=parts, heads=self.num_heads)


class MemoryAttention(Attention):
    """Multi-head attention of every frame over one memory item.

    The softmax over one item is 1 whatever queries and keys are, so the output is the projected
    value of the memory, computed once and shared by all frames. The query and key weights are
    kept because the files have them; their gradient is zero, as in PyTorch.
    """

    def forward(
        self, memory: Float[Tensor, "batch dim"], time: int
    ) -> Float[Tensor, "batch time_or_1 dim"]:
        """Attention output of ``time`` frames; one frame that stands for all without dropout.

        In training, PyTorch drops each head's one attention weight in each frame on its own. The
        same here: what each head adds to the output, times its weight after dropout, summed.
        """
        if self.p == 0:
            return rearrange(self.out_proj(self.value(memory)), "batch dim -> batch 1 dim")
        added = self.of_heads(memory)
        weights = dropout(added.new_ones(len(memory), time, self.num_heads), self.p)
        return weights @ added + self.out_proj.bias

    def of_heads(self, memory: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch heads dim"]:
        """What each head adds to the output where its attention weight is 1."""
        heads = {"heads": self.num_heads}
        return einsum(
            rearrange(self.value(memory), "batch (heads width) -> batch heads width", **heads),
            rearrange(self.out_proj.weight, "dim (heads width) -> heads width dim", **heads),
            "batch heads width, heads width dim -> batch heads dim",
        )

    def value(self, memory: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
        """Values of the memory items, the heads' one behind the other."""
        dim = memory.shape[-1]
        return F.linear(memory, self.in_proj_weight[2 * dim :], self.in_proj_bias[2 * dim :])


class Layer(nn.Module):
    """What encoder and decoder layers share: attentions by name, feed-forward, dropout."""

    def __init__(self, dim: int, ff_size: int, dropout: float, **attentions: Attention) -> None:
        super().__init__()
        self.dropout = dropout
        for name, attention in attentions.items():
            self.add_module(name, attention)
        self.linear1 = nn.Linear(dim, ff_size)
        self.linear2 = nn.Linear(ff_size, dim)
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)

    @property
    def p(self) -> float:
        """Probability of dropout: zero in evaluation."""
        return self.dropout if self.training else 0.0

    def drop(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Dropout in training, ``x`` in evaluation."""
        return dropout(x, self.p)

    def feed_forward(self, x: Float[Tensor, "*rows dim"]) -> Float[Tensor, "*rows dim"]:
        """Two linear maps with GELU and dropout between and behind them."""
        return self.drop(self.linear2(self.drop(F.gelu(self.linear1(x)))))


class EncoderLayer(Layer):
    """``nn.TransformerEncoderLayer(norm_first=False, activation="gelu", batch_first=True)``."""

    self_attn: SelfAttention

    def __init__(self, dim: int, ff_size: int, num_heads: int, dropout: float) -> None:
        super().__init__(dim, ff_size, dropout, self_attn=SelfAttention(dim, num_heads, dropout))

    def forward(
        self,
        x: Float[Tensor, "batch time dim"],
        bias: Float[Tensor, "batch 1 1 time"] | None,
        rows: int | None = None,
    ) -> Float[Tensor, "batch rows dim"]:
        """The first ``rows`` items (all by default) after the layer."""
        x = self.norm1(x[:, :rows] + self.drop(self.self_attn(x, bias, rows)))
        return self.norm2(x + self.feed_forward(x))


class DecoderLayer(Layer):
    """``nn.TransformerDecoderLayer`` (post-norm, GELU, batch first) with one memory item."""

    self_attn: SelfAttention
    multihead_attn: MemoryAttention

    def __init__(self, dim: int, ff_size: int, num_heads: int, dropout: float) -> None:
        super().__init__(
            dim,
            ff_size,
            dropout,
            self_attn=SelfAttention(dim, num_heads, dropout),
            multihead_attn=MemoryAttention(dim, num_heads, dropout),
        )
        self.norm3 = nn.LayerNorm(dim)

    def forward(
        self,
        x: Float[Tensor, "batch time dim"],
        memory: Float[Tensor, "batch dim"],
        bias: Float[Tensor, "batch 1 1 time"] | None,
    ) -> Float[Tensor, "batch time dim"]:
        """All items after the layer."""
        x = self.norm1(x + self.drop(self.self_attn(x, bias)))
        remembered = self.multihead_attn(memory, x.shape[1])
        x = self.norm2(x + self.drop(remembered.expand_as(x)))
        return self.norm3(x + self.feed_forward(x))


class Positions(nn.Module):
    """Sinusoidal positional encodings of base 10000, for sequences of any length.

    Even columns hold sines and odd columns cosines (Vaswani et al. 2017, section 3.5).
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("table", sinusoids(256, dim), persistent=False)
        self.table: Tensor

    def forward(self, time: int) -> Float[Tensor, "time dim"]:
        """Encodings of positions 0 to time - 1."""
        if time > len(self.table):
            longer = sinusoids(2 * time, self.table.shape[1])
            self.table = longer.to(self.table)
        return self.table[:time]


def sinusoids(time: int, dim: int) -> Float[Tensor, "time dim"]:
    """sin(t / 10000^(2i/dim)) in column 2i and the cosine in column 2i + 1, for row t."""
    t = torch.arange(time, dtype=torch.float64)
    rates = 10000 ** (-torch.arange(0, dim, 2, dtype=torch.float64) / dim)
    angles = t[:, None] * rates
    waves = torch.stack([angles.sin(), angles.cos()])
    return rearrange(waves, "two time half -> time (half two)").float()
