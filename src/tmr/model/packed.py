"""The transformer layers of ``tmr.model.layers`` as they train on a CPU: real rows, no padding.

The sequences of a batch lie one behind the other in one matrix, a row a frame. Linear maps, GELU,
dropout and layer norm act on rows: they take some hundred rows at a time, so that what lies between
two matrix products stays in the cache. Attention goes sequence by sequence, for the same reason.
Gradients are written out by hand: nothing is padded, copied or kept that the backward pass can do
without. Weights and mathematics are those of the layers, in float32. Second
derivatives are not there.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.autograd import Function

from tmr.model.layers import DecoderLayer, EncoderLayer
from tmr.padded import Packed, spans

aten = torch.ops.aten

CHUNK = 512  # rows at once

Gradients = tuple[Tensor | None, ...]


def applies(x: Tensor) -> bool:
    """Whether a step on ``x`` can run here: on a CPU in float32."""
    return x.device.type == "cpu" and not torch.is_autocast_enabled("cpu")


def encode(
    layers: Iterable[Any], sequences: Packed, read: Int[Tensor, " queries"]
) -> Float[Tensor, "queries dim"]:
    """The rows ``read`` behind all ``layers``; of each sequence as many."""
    *layers, last = layers
    for layer in layers:
        sequences = encoder_layer(layer, sequences)
    return encoder_layer(last, sequences, read).x


def decode(
    layers: Iterable[Any], sequences: Packed, memory: Float[Tensor, "sequences dim"]
) -> Float[Tensor, "rows dim"]:
    """All rows behind all ``layers``; each sequence has one memory item."""
    for layer in layers:
        sequences = decoder_layer(layer, sequences, memory)
    return sequences.x


def encoder_layer(
    layer: EncoderLayer, sequences: Packed, rows: Int[Tensor, " queries"] | None = None
) -> Packed:
    """``layer`` of packed sequences; only of the given ``rows``, as many of each sequence."""
    attention, x = layer.self_attn, sequences.x
    attended = SelfAttention.apply(
        x,
        attention.in_proj_weight,
        attention.in_proj_bias,
        sequences.lengths,
        attention.num_heads,
        attention.p,
        rows,
    )
    lengths = sequences.lengths
    if rows is not None:
        x, lengths = x[rows], (len(rows) // len(lengths),) * len(lengths)
    x = Project.apply(x, attended, *_weights(attention.out_proj, layer.norm1), layer.p)
    return Packed(_feed_forward(layer, layer.norm2, x), lengths)


def decoder_layer(
    layer: DecoderLayer, sequences: Packed, memory: Float[Tensor, "sequences dim"]
) -> Packed:
    """``layer`` of packed sequences, each with one memory item."""
    attention, remembering = layer.self_attn, layer.multihead_attn
    attended = SelfAttention.apply(
        sequences.x,
        attention.in_proj_weight,
        attention.in_proj_bias,
        sequences.lengths,
        attention.num_heads,
        attention.p,
        None,
    )
    x = Project.apply(sequences.x, attended, *_weights(attention.out_proj, layer.norm1), layer.p)
    x = Remember.apply(
        x,
        remembering.of_heads(memory),
        remembering.out_proj.bias,
        *_weights(layer.norm2),
        sequences.lengths,
        remembering.p,
        layer.p,
    )
    return Packed(_feed_forward(layer, layer.norm3, x), sequences.lengths)


def _feed_forward(layer: EncoderLayer | DecoderLayer, norm: nn.LayerNorm, x: Tensor) -> Tensor:
    return FeedForward.apply(x, *_weights(layer.linear1, layer.linear2, norm), layer.p)


def _weights(*modules: nn.Linear | nn.LayerNorm) -> Iterator[Tensor]:
    return (weight for module in modules for weight in (module.weight, module.bias))


class Dropout:
    """One dropout, forward and backward: a byte an entry, 1 where it is kept.

    The probability is rounded to 1/256, as in ``tmr.model.layers.dropout``. What is kept counts
    ``scale`` times, which costs nothing inside a matrix product.
    """

    def __init__(self, shape: Sequence[int], p: float) -> None:
        zeroed = round(256 * p)
        self.scale = 256 / (256 - zeroed)
        self.keep: Tensor | None = None
        if zeroed:
            count = math.prod(shape)
            words = torch.empty(math.ceil(count / 8), dtype=torch.int64).random_(-(2**63), None)
            self.keep = words.view(torch.uint8)[:count].view(*shape).ge_(zeroed)

    def mask(self, like: Tensor, rows: slice = slice(None)) -> Tensor | None:
        """1 where an entry of these rows is kept, 0 where it is dropped; None: all are kept."""
        return None if self.keep is None else self.keep[rows].to(like.dtype)

    def kept(self, x: Tensor) -> Tensor:
        """``x`` with the dropped entries zeroed, the others unscaled; a copy if any is."""
        mask = self.mask(x)
        return x if mask is None else mask.mul_(x)

    def zero_(self, x: Tensor, rows: slice = slice(None)) -> Tensor:
        """Zero the dropped entries of these rows in place, without scaling the others."""
        mask = self.mask(x, rows)
        return x if mask is None else x.mul_(mask)

    def __call__(self, x: Tensor, rows: slice = slice(None)) -> Tensor:
        """These rows with the dropped entries zeroed and the others scaled."""
        mask = self.mask(x, rows)
        return x if mask is None else mask.mul_(self.scale).mul_(x)


class AddNorm:
    """norm(x + dropout(y)), which ends every block, and its gradients, by chunks of rows."""

    def __init__(
        self, like: Float[Tensor, "rows dim"], gain: Tensor, offset: Tensor, p: float
    ) -> None:
        self.gain, self.offset = gain.detach(), offset.detach()
        self.dropout = Dropout(like.shape, p)
        self.sums = torch.empty_like(like)
        self.mean, self.rstd = like.new_empty(len(like), 1), like.new_empty(len(like), 1)

    def forward(self, x: Tensor, y: Tensor, rows: slice) -> Tensor:
        """These rows of the result; their ``y`` is overwritten."""
        y = self.dropout.zero_(y, rows)
        sums = torch.add(x[rows], y, alpha=self.dropout.scale, out=self.sums[rows])
        out, self.mean[rows], self.rstd[rows] = aten.native_layer_norm(
            sums, self.gain.shape, self.gain, self.offset, 1e-5
        )
        return out

    def backward(self, dout: Tensor, rows: slice, dnorm: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients of these rows of x and of y; those of gain and offset are added to dnorm."""
        dx, dgain, doffset = aten.native_layer_norm_backward(
            dout[rows],
            self.sums[rows],
            self.gain.shape,
            self.mean[rows],
            self.rstd[rows],
            self.gain,
            self.offset,
            [True, True, True],
        )
        dnorm += torch.stack([dgain, doffset])
        return dx, self.dropout(dx, rows)


def chunks(rows: int) -> Iterator[slice]:
    """The rows, CHUNK at a time."""
    return (slice(start, min(start + CHUNK, rows)) for start in range(0, rows, CHUNK))


class SelfAttention(Function):
    """Multi-head attention of each sequence over itself, before the output projection."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Float[Tensor, "rows dim"],
        weight: Float[Tensor, "three_dim dim"],
        bias: Float[Tensor, " three_dim"],
        lengths: tuple[int, ...],
        num_heads: int,
        p: float,
        queries: Int[Tensor, " queries"] | None,
    ) -> Float[Tensor, "queries dim"]:
        """dropout(softmax(q k / sqrt(width))) v by head, of the rows ``queries`` or of all."""
        dim = x.shape[1]
        if queries is None:
            q, kv = torch.addmm(bias, x, weight.T).split([dim, 2 * dim], dim=1)
            places = list(zip(spans(lengths), spans(lengths), strict=True))
        else:
            q = torch.addmm(bias[:dim], x[queries], weight[:dim].T)
            kv = torch.addmm(bias[dim:], x, weight[dim:].T)
            each = len(queries) // len(lengths)
            places = list(zip(spans([each] * len(lengths)), spans(lengths), strict=True))
        y, weights, dropouts = x.new_empty(q.shape), [], []
        (qs,), (ks, vs) = _heads(q, num_heads, 1), _heads(kv, num_heads, 2)
        (ys,) = _heads(y, num_heads, 1)
        for asking, asked in places:
            scores = torch.bmm(qs[:, asking], ks[:, asked].mT)
            scores.mul_(1 / math.sqrt(dim / num_heads))
            weights.append(torch.softmax(scores, dim=-1, out=scores))
            dropouts.append(Dropout(scores.shape, p))
            kept, out = dropouts[-1].kept(scores), ys[:, asking]
            torch.baddbmm(out, kept, vs[:, asked], beta=0, alpha=dropouts[-1].scale, out=out)
        ctx.save_for_backward(x, weight, q, kv, queries, *weights)
        ctx.places, ctx.num_heads, ctx.dropouts = places, num_heads, dropouts
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Gradients:
        """Gradients of x, weight and bias."""
        (dy,) = gradients
        x, weight, q, kv, queries, *weights = ctx.saved_tensors
        dim, num_heads = x.shape[1], ctx.num_heads
        dqkv = x.new_empty(len(x), 3 * dim)
        dq, dkv = dqkv.split([dim, 2 * dim], dim=1)
        if queries is not None:
            dq = torch.empty_like(q)
        (qs,), (ks, vs) = _heads(q, num_heads, 1), _heads(kv, num_heads, 2)
        (dqs,), (dks, dvs) = _heads(dq, num_heads, 1), _heads(dkv, num_heads, 2)
        (dys,) = _heads(dy, num_heads, 1)
        for (asking, asked), attended, dropout in zip(
            ctx.places, weights, ctx.dropouts, strict=True
        ):
            dq_, dk, dv = dqs[:, asking], dks[:, asked], dvs[:, asked]
            kept = dropout.kept(attended)
            torch.baddbmm(dv, kept.mT, dys[:, asking], beta=0, alpha=dropout.scale, out=dv)
            dscores = dropout.zero_(torch.bmm(dys[:, asking], vs[:, asked].mT))
            dscores = aten._softmax_backward_data(dscores, attended, -1, attended.dtype)
            scale = dropout.scale / math.sqrt(dim / num_heads)
            torch.baddbmm(dq_, dscores, ks[:, asked], beta=0, alpha=scale, out=dq_)
            torch.baddbmm(dk, dscores.mT, qs[:, asking], beta=0, alpha=scale, out=dk)
        dx = None
        if queries is None:
            dweight, dbias = dqkv.T @ x, dqkv.sum(dim=0)
            if ctx.needs_input_grad[0]:
                dx = dqkv @ weight
        else:
            dweight = torch.cat([dq.T @ x[queries], dkv.T @ x])
            dbias = torch.cat([dq.sum(dim=0), dkv.sum(dim=0)])
            if ctx.needs_input_grad[0]:
                dx = (dkv @ weight[dim:]).index_add_(0, queries, dq @ weight[:dim])
        return dx, dweight, dbias, None, None, None, None


def _heads(
    x: Float[Tensor, "rows features"], num_heads: int, parts: int
) -> Float[Tensor, "parts heads rows width"]:
    """Queries, keys or values, one or two of them beside each other, as a view by heads."""
    return rearrange(
        x, "rows (parts heads width) -> parts heads rows width", parts=parts, heads=num_heads
    )


class Project(Function):
    """norm(x + dropout(linear(y))): how the output of an attention is added."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Float[Tensor, "rows dim"],
        y: Float[Tensor, "rows dim"],
        weight: Float[Tensor, "dim dim"],
        bias: Float[Tensor, " dim"],
        gain: Float[Tensor, " dim"],
        offset: Float[Tensor, " dim"],
        p: float,
    ) -> Float[Tensor, "rows dim"]:
        """The rows after the block."""
        end, out = AddNorm(x, gain, offset, p), torch.empty_like(x)
        for rows in chunks(len(x)):
            out[rows] = end.forward(x, torch.addmm(bias, y[rows], weight.T), rows)
        ctx.save_for_backward(y, weight)
        ctx.end = end
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Gradients:
        """Gradients of x, of y and of the weights."""
        (dout,) = gradients
        (y, weight), end = ctx.saved_tensors, ctx.end
        dx, dy, dnorm = torch.empty_like(y), torch.empty_like(y), y.new_zeros(2, y.shape[1])
        dweight, dbias = torch.zeros_like(weight), weight.new_zeros(len(weight))
        for rows in chunks(len(y)):
            dx[rows], dprojected = end.backward(dout, rows, dnorm)
            dbias += dprojected.sum(dim=0)
            dweight.addmm_(dprojected.T, y[rows])
            torch.mm(dprojected, weight, out=dy[rows])
        return dx, dy, dweight, dbias, *dnorm, None


class Remember(Function):
    """norm(x + dropout(attention over one memory item)).

    ``values`` is what each head adds where its one attention weight is 1; dropout acts on those
    weights first, on each in each row.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Float[Tensor, "rows dim"],
        values: Float[Tensor, "sequences heads dim"],
        bias: Float[Tensor, " dim"],
        gain: Float[Tensor, " dim"],
        offset: Float[Tensor, " dim"],
        lengths: tuple[int, ...],
        p_weights: float,
        p: float,
    ) -> Float[Tensor, "rows dim"]:
        """The rows after the block."""
        weights = x.new_ones(len(x), values.shape[1])
        weights = Dropout(weights.shape, p_weights)(weights)
        y, out = torch.empty_like(x), torch.empty_like(x)
        for value, rows in zip(values, spans(lengths), strict=True):
            torch.addmm(bias, weights[rows], value, out=y[rows])
        end = AddNorm(x, gain, offset, p)
        for rows in chunks(len(x)):
            out[rows] = end.forward(x, y[rows], rows)
        ctx.save_for_backward(weights)
        ctx.end, ctx.lengths = end, lengths
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Gradients:
        """Gradients of x, of the values and of the weights."""
        (dout,) = gradients
        (weights,), end, dim = ctx.saved_tensors, ctx.end, dout.shape[1]
        dx, dy, dnorm = torch.empty_like(dout), torch.empty_like(dout), dout.new_zeros(2, dim)
        for rows in chunks(len(dout)):
            dx[rows], dy[rows] = end.backward(dout, rows, dnorm)
        dvalues = torch.stack([weights[rows].T @ dy[rows] for rows in spans(ctx.lengths)])
        return dx, dvalues, dy.sum(dim=0), *dnorm, None, None, None


class FeedForward(Function):
    """norm(x + dropout(linear2(dropout(gelu(linear1(x))))))."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Float[Tensor, "rows dim"],
        weight1: Float[Tensor, "hidden dim"],
        bias1: Float[Tensor, " hidden"],
        weight2: Float[Tensor, "dim hidden"],
        bias2: Float[Tensor, " dim"],
        gain: Float[Tensor, " dim"],
        offset: Float[Tensor, " dim"],
        p: float,
    ) -> Float[Tensor, "rows dim"]:
        """The rows after the block."""
        hidden, out = x.new_empty(len(x), len(weight1)), torch.empty_like(x)
        dropout, end = Dropout(hidden.shape, p), AddNorm(x, gain, offset, p)
        for rows in chunks(len(x)):
            before = torch.addmm(bias1, x[rows], weight1.T, out=hidden[rows])
            active = dropout.zero_(F.gelu(before), rows)
            y = torch.addmm(bias2, active, weight2.T, alpha=dropout.scale)
            out[rows] = end.forward(x, y, rows)
        ctx.save_for_backward(x, weight1, weight2, hidden)
        ctx.dropout, ctx.end = dropout, end
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Gradients:
        """Gradients of x and of the weights; GELU is computed a second time rather than kept."""
        (dout,) = gradients
        x, weight1, weight2, hidden = ctx.saved_tensors
        dropout, end = ctx.dropout, ctx.end
        dx, dnorm = torch.empty_like(x), x.new_zeros(2, x.shape[1])
        dweight1, dbias1 = torch.zeros_like(weight1), weight1.new_zeros(len(weight1))
        dweight2, dbias2 = torch.zeros_like(weight2), weight2.new_zeros(len(weight2))
        for rows in chunks(len(x)):
            dsum, dy = end.backward(dout, rows, dnorm)
            keep, before = dropout.mask(hidden, rows), hidden[rows]
            active = F.gelu(before)
            active = active if keep is None else active.mul_(keep)
            dbias2 += dy.sum(dim=0)
            dweight2.addmm_(dy.T, active, alpha=dropout.scale)
            dactive = torch.mm(dy, weight2)
            dactive = dactive if keep is None else dactive.mul_(keep.mul_(dropout.scale))
            dbefore = aten.gelu_backward.grad_input(dactive, before, grad_input=active)
            dbias1 += dbefore.sum(dim=0)
            dweight1.addmm_(dbefore.T, x[rows])
            torch.addmm(dsum, dbefore, weight1, out=dx[rows])
        return dx, dweight1, dbias1, dweight2, dbias2, *dnorm, None
