"""PyTorch's post-norm transformer layers on packed sequences, with the same weights.

Weight names inside a layer are PyTorch's own, so published state dicts load. Attention over a
single memory item costs one product for each sequence, and an encoder's last layer computes only
the tokens that are read.
"""

import functools
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from einops import einsum, rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from tmr.model.packed_attention import PaddedGroups, attend, dropout


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
    """Multi-head attention of each sequence over itself (Vaswani et al. 2017, section 3.2.2).

    Each head gives softmax(Q K^T / sqrt(width)) V, where Q, K and V are the tokens times the head's
    rows of ``in_proj_weight``, ``width`` of them each; ``out_proj`` then joins the heads. Tokens of
    other sequences have no weight.
    """

    def forward(
        self,
        x: Float[Tensor, "tokens dim"],
        groups: PaddedGroups,
        read: Int[Tensor, " queries"] | None = None,
    ) -> Float[Tensor, "queries dim"]:
        """Heads of all tokens, or of those ``read`` (as many of each sequence); not projected."""
        weight, bias, dim = self.in_proj_weight, self.in_proj_bias, x.shape[1]
        if read is None:
            padded = groups.pad(F.linear(x, weight, bias))
            heads = [tuple(self._heads(group, 3)) for group in padded]
        else:
            q = F.linear(x.index_select(0, read), weight[:dim], bias[:dim])
            q = rearrange(q, "(batch queries) dim -> batch queries dim", batch=len(groups.order))
            padded = groups.pad(F.linear(x, weight[dim:], bias[dim:]))
            heads = [
                (*self._heads(queries, 1), *self._heads(group, 2))
                for queries, group in zip(groups.split(q), padded, strict=True)
            ]
        outputs = [
            rearrange(
                attend(q, k, v, bias, self.p),
                "batch heads queries width -> batch queries (heads width)",
            )
            for (q, k, v), bias in zip(heads, groups.biases, strict=True)
        ]
        return groups.unpad(outputs) if read is None else groups.join(outputs).flatten(0, 1)

    def _heads(
        self, x: Float[Tensor, "batch time features"], parts: int
    ) -> Float[Tensor, "parts batch heads time width"]:
        """Queries, keys or values, ``parts`` of them beside each other, by heads."""
        pattern = "batch time (parts heads width) -> parts batch heads time width"
        return rearrange(x, pattern, parts=parts, heads=self.num_heads)


class MemoryAttention(Attention):
    """Multi-head attention of every token over the one memory item of its sequence.

    The softmax over one item is 1 whatever queries and keys are, so each head adds the projected
    value of the memory to every token, but where dropout takes its weight. The query and key
    weights are kept because the files have them; their gradient is zero, as in PyTorch.
    """

    def forward(
        self, memory: Float[Tensor, "sequences dim"], groups: PaddedGroups
    ) -> Float[Tensor, "tokens dim"]:
        """Attention output of every token."""
        dim, heads = memory.shape[1], {"heads": self.num_heads}
        value = F.linear(memory, self.in_proj_weight[2 * dim :], self.in_proj_bias[2 * dim :])
        added_by_head = einsum(
            rearrange(value, "batch (heads width) -> batch heads width", **heads),
            rearrange(self.out_proj.weight, "dim (heads width) -> heads width dim", **heads),
            "batch heads width, heads width dim -> batch heads dim",
        )
        outputs = [
            dropout(added.new_ones(*shape, self.num_heads), self.p) @ added
            for added, shape in zip(groups.split(added_by_head), groups.shapes, strict=True)
        ]
        return groups.unpad(outputs) + self.out_proj.bias


class Layer(nn.Module):
    """What encoder and decoder layers share: attentions by name, feed-forward, dropout."""

    def __init__(self, dim: int, ff_size: int, dropout: float, **attentions: Attention) -> None:
        super().__init__()
        self.compiled = False  # see ``tmr.model.TEMOS.compile_layers``
        self.dropout = dropout
        for name, attention in attentions.items():
            self.add_module(name, attention)
        self.linear1 = nn.Linear(dim, ff_size)
        self.linear2 = nn.Linear(ff_size, dim)
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)

    def drop(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Dropout in training, ``x`` in evaluation."""
        return dropout(x, self.dropout if self.training else 0.0)

    def feed_forward(self, x: Float[Tensor, "tokens dim"]) -> Float[Tensor, "tokens dim"]:
        """Two linear maps with GELU and dropout between and behind them."""
        return self.drop(self.linear2(self.drop(F.gelu(self.linear1(x)))))


class EncoderLayer(Layer):
    """``nn.TransformerEncoderLayer(norm_first=False, activation="gelu")``, packed."""

    self_attn: SelfAttention

    def __init__(self, dim: int, ff_size: int, num_heads: int, dropout: float) -> None:
        super().__init__(dim, ff_size, dropout, self_attn=SelfAttention(dim, num_heads, dropout))

    def forward(
        self,
        x: Float[Tensor, "tokens dim"],
        groups: PaddedGroups,
        read: Int[Tensor, " queries"] | None = None,
    ) -> Float[Tensor, "queries dim"]:
        """All tokens after the layer, or those ``read``."""
        attended = self.self_attn(x, groups, read)
        x = x if read is None else x.index_select(0, read)
        return _maybe_compiled(EncoderLayer._after_attention, self.compiled)(self, x, attended)

    def _after_attention(
        self, x: Float[Tensor, "tokens dim"], attended: Float[Tensor, "tokens dim"]
    ) -> Float[Tensor, "tokens dim"]:
        x = self.norm1(x + self.drop(self.self_attn.out_proj(attended)))
        return self.norm2(x + self.feed_forward(x))


class DecoderLayer(Layer):
    """``nn.TransformerDecoderLayer`` of the same kind, each sequence with one memory item."""

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
        x: Float[Tensor, "tokens dim"],
        memory: Float[Tensor, "sequences dim"],
        groups: PaddedGroups,
    ) -> Float[Tensor, "tokens dim"]:
        """All tokens after the layer."""
        attended = self.self_attn(x, groups)
        from_memory = self.multihead_attn(memory, groups)
        after_attention = _maybe_compiled(DecoderLayer._after_attention, self.compiled)
        return after_attention(self, x, attended, from_memory)

    def _after_attention(
        self,
        x: Float[Tensor, "tokens dim"],
        attended: Float[Tensor, "tokens dim"],
        from_memory: Float[Tensor, "tokens dim"],
    ) -> Float[Tensor, "tokens dim"]:
        x = self.norm1(x + self.drop(self.self_attn.out_proj(attended)))
        x = self.norm2(x + self.drop(from_memory))
        return self.norm3(x + self.feed_forward(x))


@functools.cache
def _maybe_compiled(function: Callable[..., Tensor], compiled: bool) -> Callable[..., Tensor]:
    """``function``, if wanted as one program for all layers of its kind and any number of tokens.

    One size changes from step to step, the number of tokens, so nothing is compiled a second time.
    With attention inside, the lengths of the groups would be sizes too, and each new number of
    groups another program.
    """
    return torch.compile(function, dynamic=True) if compiled else function


class Positions(nn.Module):
    """Sinusoidal positional encodings of base 10000, for sequences of any length.

    Even columns hold sines and odd columns cosines (Vaswani et al. 2017, section 3.5).
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.table = sinusoids(0, dim)  # grows with need; no buffer, because it is no state

    def forward(self, lengths: Sequence[int], device: torch.device) -> Float[Tensor, "tokens dim"]:
        """Encodings of every token of packed sequences; each sequence counts from zero."""
        if max(lengths) > len(self.table) or self.table.device != device:
            self.table = sinusoids(max(256, 2 * max(lengths)), self.dim).to(device)
        return torch.cat([self.table[:length] for length in lengths])


def sinusoids(time: int, dim: int) -> Float[Tensor, "time dim"]:
    """sin(t / 10000^(2i/dim)) in column 2i and the cosine in column 2i + 1, for row t."""
    t = torch.arange(time, dtype=torch.float64)
    rates = 10000 ** (-torch.arange(0, dim, 2, dtype=torch.float64) / dim)
    angles = t[:, None] * rates
    waves = torch.stack([angles.sin(), angles.cos()])
    return rearrange(waves, "two time half -> time (half two)").float()
