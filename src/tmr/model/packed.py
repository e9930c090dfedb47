"""The transformer layers of ``tmr.model.transformer`` trained on a CPU: real rows, no padding.

The sequences of a batch lie one behind the other in one matrix, a row a frame. Linear maps, GELU,
dropout and layer norm act on rows: they take some hundred rows at a time, so that what lies between
two matrix products stays in the cache. Attention goes sequence by sequence, for the same reason.
Gradients are written out by hand: nothing is padded, copied or kept that the backward pass can do
without. Weights and mathematics are those of the layers. Under autocast, linear maps and attention
multiply in its lower precision, and what only they read is kept in it; softmax, layer norm and the
sums that go from block to block stay in float32. Second derivatives are not there.
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

from tmr.model.transformer import DecoderLayer, EncoderLayer
from tmr.sequences import Packed, spans

aten = torch.ops.aten

CHUNK = 512  # rows at once
INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}  # as wide as a number, by its bytes

Gradients = tuple[Tensor | None, ...]


def applies(x: Tensor) -> bool:
    """Whether a step on ``x`` can run here: on a CPU."""
    return x.device.type == "cpu"


def precision_of_products(x: Tensor) -> torch.dtype:
    """What products are taken in: autocast's type, or that of ``x`` without autocast."""
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype


def encode(
    layers: Iterable[Any], sequences: Packed, read: Int[Tensor, " queries"]
) -> Float[Tensor, "queries dim"]:
    """The rows ``read`` behind all ``layers``; of each sequence as many."""
    *layers, last = layers
    products = precision_of_products(sequences.x)
    with torch.autocast("cpu", enabled=False):
        for layer in layers:
            sequences = encoder_layer(layer, sequences, products=products)
        return encoder_layer(last, sequences, read, products).x


def decode(
    layers: Iterable[Any], sequences: Packed, memory: Float[Tensor, "sequences dim"]
) -> Float[Tensor, "rows dim"]:
    """All rows behind all ``layers``; each sequence has one memory item."""
    products = precision_of_products(sequences.x)
    with torch.autocast("cpu", enabled=False):
        for layer in layers:
            sequences = decoder_layer(layer, sequences, memory, products)
    return sequences.x


def encoder_layer(
    layer: EncoderLayer,
    sequences: Packed,
    rows: Int[Tensor, " queries"] | None = None,
    products: torch.dtype | None = None,
) -> Packed:
    """``layer`` of packed sequences; only of the given ``rows``, as many of each sequence.

    ``products`` is what products are taken in, by default the precision of the sequences.
    """
    attention, x = layer.self_attn, sequences.x
    dtype = products or x.dtype
    attended = SelfAttention.apply(
        x,
        attention.in_proj_weight,
        attention.in_proj_bias,
        sequences.lengths,
        attention.num_heads,
        attention.p,
        dtype,
        rows,
    )
    lengths = sequences.lengths
    if rows is not None:
        x, lengths = x[rows], (len(rows) // len(lengths),) * len(lengths)
    x = Project.apply(x, attended, *_weights(attention.out_proj, layer.norm1), layer.p, dtype)
    return Packed(_feed_forward(layer, layer.norm2, x, dtype), lengths)


def decoder_layer(
    layer: DecoderLayer,
    sequences: Packed,
    memory: Float[Tensor, "sequences dim"],
    products: torch.dtype | None = None,
) -> Packed:
    """``layer`` of packed sequences, each with one memory item."""
    attention, remembering = layer.self_attn, layer.multihead_attn
    dtype = products or sequences.x.dtype
    attended = SelfAttention.apply(
        sequences.x,
        attention.in_proj_weight,
        attention.in_proj_bias,
        sequences.lengths,
        attention.num_heads,
        attention.p,
        dtype,
        None,
    )
    x = Project.apply(
        sequences.x, attended, *_weights(attention.out_proj, layer.norm1), layer.p, dtype
    )
    x = Remember.apply(
        x,
        remembering.of_heads(memory),
        remembering.out_proj.bias,
        *_weights(layer.norm2),
        sequences.lengths,
        remembering.p,
        layer.p,
    )
    return Packed(_feed_forward(layer, layer.norm3, x, dtype), sequences.lengths)


def _feed_forward(
    layer: EncoderLayer | DecoderLayer, norm: nn.LayerNorm, x: Tensor, dtype: torch.dtype
) -> Tensor:
    return FeedForward.apply(x, *_weights(layer.linear1, layer.linear2, norm), layer.p, dtype)


def _weights(*modules: nn.Linear | nn.LayerNorm) -> Iterator[Tensor]:
    return (weight for module in modules for weight in (module.weight, module.bias))


class Dropout:
    """One dropout, forward and backward: a byte an entry, all ones where it is kept, else zero.

    The probability is rounded to 1/256, as in ``tmr.model.transformer.dropout``. What is kept
    counts ``scale`` times, which costs nothing inside a matrix product.
    """

    def __init__(self, shape: Sequence[int], p: float) -> None:
        zeroed = round(256 * p)
        self.scale = 256 / (256 - zeroed)
        self.keep: Tensor | None = None
        if zeroed:
            count = math.prod(shape)
            words = torch.empty(math.ceil(count / 8), dtype=torch.int64).random_(-(2**63), None)
            kept = words.view(torch.uint8)[:count].view(*shape).ge_(zeroed)
            self.keep = kept.view(torch.int8).neg_()

    def kept(self, x: Tensor) -> Tensor:
        """``x`` with the dropped entries zeroed, the others unscaled; a copy if any is."""
        if self.keep is None:
            return x
        # Bit by bit, which needs no numbers in the place of the bytes: -1 is extended by ones.
        return x.view(INTEGERS[x.itemsize]).bitwise_and(self.keep).view(x.dtype)

    def zero_(self, x: Tensor, rows: slice = slice(None)) -> Tensor:
        """Zero the dropped entries of these rows in place, without scaling the others."""
        if self.keep is not None:
            x.view(INTEGERS[x.itemsize]).bitwise_and_(self.keep[rows])
        return x

    def __call__(self, x: Tensor, rows: slice = slice(None)) -> Tensor:
        """These rows with the dropped entries zeroed and the others scaled."""
        return x if self.keep is None else self.zero_(x * self.scale, rows)


class Product:
    """x @ weight.T + bias of rows, and its gradients, multiplied in ``dtype``."""

    def __init__(self, weight: Tensor, bias: Tensor, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self.weight, self.bias = weight.detach().to(dtype), bias.detach().to(dtype)

    def __call__(self, x: Tensor, scale: float = 1.0, out: Tensor | None = None) -> Tensor:
        """``scale`` times the product, and the bias, in ``dtype``."""
        return torch.addmm(self.bias, x.to(self.dtype), self.weight.T, alpha=scale, out=out)

    def backward(self, dy: Tensor, out: Tensor) -> Tensor:
        """The gradient of x, in the precision of ``out``."""
        if out.dtype == self.dtype:
            return torch.mm(dy.to(self.dtype), self.weight, out=out)
        return out.copy_(torch.mm(dy.to(self.dtype), self.weight))

    def add_gradient(self, dweight: Tensor, dy: Tensor, x: Tensor) -> None:
        """Add that of the weight by these rows, in the precision of ``dweight``."""
        dy, x = dy.to(self.dtype), x.to(self.dtype)
        if dweight.dtype == self.dtype:
            dweight.addmm_(dy.T, x)
        else:
            dweight.add_(torch.mm(dy.T, x))


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
        dtype: torch.dtype,
        queries: Int[Tensor, " queries"] | None,
    ) -> Float[Tensor, "queries dim"]:
        """dropout(softmax(q k / sqrt(width))) v by head, of the rows ``queries`` or of all.

        It comes out in ``dtype``, in which all products are taken; the softmax is in that of x.
        """
        dim = x.shape[1]
        if queries is None:
            q, kv = Product(weight, bias, dtype)(x).split([dim, 2 * dim], dim=1)
            places = list(zip(spans(lengths), spans(lengths), strict=True))
        else:
            q = Product(weight[:dim], bias[:dim], dtype)(x[queries])
            kv = Product(weight[dim:], bias[dim:], dtype)(x)
            each = len(queries) // len(lengths)
            places = list(zip(spans([each] * len(lengths)), spans(lengths), strict=True))
        y, weights, dropouts = torch.empty_like(q, memory_format=torch.contiguous_format), [], []
        (qs,), (ks, vs) = _heads(q, num_heads, 1), _heads(kv, num_heads, 2)
        (ys,) = _heads(y, num_heads, 1)
        for asking, asked in places:
            scores = _products(qs[:, asking], ks[:, asked]).to(x.dtype)
            scores.mul_(1 / math.sqrt(dim / num_heads))
            weights.append(torch.softmax(scores, dim=-1, out=scores).to(dtype))
            dropouts.append(Dropout(scores.shape, p))
            kept, out = dropouts[-1].kept(weights[-1]), ys[:, asking]
            torch.baddbmm(out, kept, vs[:, asked], beta=0, alpha=dropouts[-1].scale, out=out)
        ctx.save_for_backward(x, weight, bias, q, kv, queries, *weights)
        ctx.places, ctx.num_heads, ctx.dropouts, ctx.dtype = places, num_heads, dropouts, dtype
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Gradients:
        """Gradients of x, weight and bias."""
        (dy,) = gradients
        x, weight, bias, q, kv, queries, *weights = ctx.saved_tensors
        dim, num_heads = x.shape[1], ctx.num_heads
        dqkv = q.new_empty(len(x), 3 * dim)
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
            dscores = dropout.zero_(_products(dys[:, asking], vs[:, asked]))
            dscores = aten._softmax_backward_data(dscores, attended, -1, attended.dtype)
            scale = dropout.scale / math.sqrt(dim / num_heads)
            torch.baddbmm(dq_, dscores, ks[:, asked], beta=0, alpha=scale, out=dq_)
            torch.baddbmm(dk, dscores.mT, qs[:, asking], beta=0, alpha=scale, out=dk)
        dweight, dx = torch.zeros_like(weight), None
        if ctx.needs_input_grad[0]:
            dx = torch.empty_like(x)
        if queries is None:
            everything = Product(weight, bias, ctx.dtype)
            everything.add_gradient(dweight, dqkv, x)
            dbias = dqkv.sum(dim=0).to(bias.dtype)
            if dx is not None:
                everything.backward(dqkv, out=dx)
        else:
            asks = Product(weight[:dim], bias[:dim], ctx.dtype)
            are_asked = Product(weight[dim:], bias[dim:], ctx.dtype)
            asks.add_gradient(dweight[:dim], dq, x[queries])
            are_asked.add_gradient(dweight[dim:], dkv, x)
            dbias = torch.cat([part.sum(dim=0).to(bias.dtype) for part in (dq, dkv)])
            if dx is not None:
                are_asked.backward(dkv, out=dx)
                dx.index_add_(0, queries, asks.backward(dq, out=x.new_empty(dq.shape)))
        return dx, dweight, dbias, None, None, None, None, None


def _products(
    a: Float[Tensor, "heads rows width"], b: Float[Tensor, "heads columns width"]
) -> Float[Tensor, "heads rows columns"]:
    """a b^T, of copies: in bfloat16, of views it takes nearly twice as long."""
    return torch.bmm(a.contiguous(), b.contiguous().mT)


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
        dtype: torch.dtype,
    ) -> Float[Tensor, "rows dim"]:
        """The rows after the block; ``y`` is in ``dtype``."""
        end, out = AddNorm(x, gain, offset, p), torch.empty_like(x)
        project = Product(weight, bias, dtype)
        for rows in chunks(len(x)):
            out[rows] = end.forward(x, project(y[rows]).to(x.dtype), rows)
        ctx.save_for_backward(y, weight, bias)
        ctx.end, ctx.dtype = end, dtype
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Gradients:
        """Gradients of x, of y and of the weights."""
        (dout,) = gradients
        (y, weight, bias), end = ctx.saved_tensors, ctx.end
        project = Product(weight, bias, ctx.dtype)
        dx, dy = torch.empty_like(dout), torch.empty_like(y)
        dnorm = dout.new_zeros(2, dout.shape[1])
        dweight, dbias = torch.zeros_like(weight), torch.zeros_like(bias)
        for rows in chunks(len(y)):
            dx[rows], dprojected = end.backward(dout, rows, dnorm)
            dbias += dprojected.sum(dim=0)
            dprojected = dprojected.to(ctx.dtype)
            project.add_gradient(dweight, dprojected, y[rows])
            project.backward(dprojected, out=dy[rows])
        return dx, dy, dweight, dbias, *dnorm, None, None


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
        dtype: torch.dtype,
    ) -> Float[Tensor, "rows dim"]:
        """The rows after the block; what is hidden is in ``dtype``."""
        hidden, out = x.new_empty(len(x), len(weight1), dtype=dtype), torch.empty_like(x)
        dropout, end = Dropout(hidden.shape, p), AddNorm(x, gain, offset, p)
        widen, narrow = Product(weight1, bias1, dtype), Product(weight2, bias2, dtype)
        for rows in chunks(len(x)):
            before = widen(x[rows], out=hidden[rows])
            active = dropout.zero_(F.gelu(before), rows)
            out[rows] = end.forward(x, narrow(active, scale=dropout.scale).to(x.dtype), rows)
        ctx.save_for_backward(x, weight1, bias1, weight2, bias2, hidden)
        ctx.dropout, ctx.end, ctx.dtype = dropout, end, dtype
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Gradients:
        """Gradients of x and of the weights; GELU is computed a second time rather than kept."""
        (dout,) = gradients
        x, weight1, bias1, weight2, bias2, hidden = ctx.saved_tensors
        dropout, end = ctx.dropout, ctx.end
        widen, narrow = Product(weight1, bias1, ctx.dtype), Product(weight2, bias2, ctx.dtype)
        dx, dnorm = torch.empty_like(x), x.new_zeros(2, x.shape[1])
        dweight1, dbias1 = torch.zeros_like(weight1), torch.zeros_like(bias1)
        dweight2, dbias2 = torch.zeros_like(weight2), torch.zeros_like(bias2)
        for rows in chunks(len(x)):
            dsum, dy = end.backward(dout, rows, dnorm)
            dbias2 += dy.sum(dim=0)
            scaled, before = (dy * dropout.scale).to(ctx.dtype), hidden[rows]
            active = dropout.zero_(F.gelu(before), rows)
            narrow.add_gradient(dweight2, scaled, active)
            dactive = dropout.zero_(narrow.backward(scaled, out=torch.empty_like(active)), rows)
            dbefore = aten.gelu_backward.grad_input(dactive, before, grad_input=active)
            dbias1 += dbefore.sum(dim=0)
            widen.add_gradient(dweight1, dbefore, x[rows])
            torch.add(dsum, widen.backward(dbefore, out=torch.empty_like(dsum)), out=dx[rows])
        return dx, dweight1, dbias1, dweight2, dbias2, *dnorm, None, None
