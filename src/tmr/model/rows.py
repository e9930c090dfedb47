"""The transformer layers of ``tmr.model.transformer`` on packed rows, with torch's own gradients.

For GPUs; a CPU is faster with ``tmr.model.packed``. All that works on rows sees the real ones
alone. For attention, and for nothing else, they are laid out in padded groups
(``tmr.model.places``): torch's attention over sequences of any length
(``torch.nn.attention.varlen``) drops out no weights, and nested tensors go through Python at every
operation, where a small batch on a GPU waits for Python already.
"""

import functools
from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from tmr.model.places import Places
from tmr.model.transformer import (
    DecoderLayer,
    EncoderLayer,
    MemoryAttention,
    SelfAttention,
    attend,
    dropout,
)
from tmr.sequences import Packed


def encode(
    layers: Iterable[Any], sequences: Packed, read: Int[Tensor, " queries"], compiled: bool
) -> Float[Tensor, "queries dim"]:
    """The rows ``read`` behind all ``layers``; of each sequence as many."""
    *layers, last = layers
    x, places = sequences.x, Places.of(sequences.lengths, sequences.x.device)
    for layer in layers:
        x = encoder_layer(layer, x, places, compiled=compiled)
    return encoder_layer(last, x, places, read, compiled)


def decode(
    layers: Iterable[Any],
    sequences: Packed,
    memory: Float[Tensor, "sequences dim"],
    compiled: bool,
) -> Float[Tensor, "rows dim"]:
    """All rows behind all ``layers``; each sequence has one memory item."""
    x, places = sequences.x, Places.of(sequences.lengths, sequences.x.device)
    for layer in layers:
        x = decoder_layer(layer, x, memory, places, compiled)
    return x


def encoder_layer(
    layer: EncoderLayer,
    x: Float[Tensor, "rows dim"],
    places: Places,
    read: Int[Tensor, " queries"] | None = None,
    compiled: bool = False,
) -> Float[Tensor, "queries dim"]:
    """``layer`` of packed rows: of all, or of those ``read``."""
    attended = self_attention(layer.self_attn, x, places, read)
    x = x if read is None else x.index_select(0, read)
    return maybe_compiled(end_encoder, compiled)(layer, x, attended)


def decoder_layer(
    layer: DecoderLayer,
    x: Float[Tensor, "rows dim"],
    memory: Float[Tensor, "sequences dim"],
    places: Places,
    compiled: bool = False,
) -> Float[Tensor, "rows dim"]:
    """``layer`` of packed rows."""
    attended = self_attention(layer.self_attn, x, places)
    remembered = memory_attention(layer.multihead_attn, memory, places)
    return maybe_compiled(end_decoder, compiled)(layer, x, attended, remembered)


def end_encoder(
    layer: EncoderLayer, x: Float[Tensor, "rows dim"], attended: Float[Tensor, "rows dim"]
) -> Float[Tensor, "rows dim"]:
    """The layer behind the heads of its attention: each row for itself."""
    x = layer.norm1(x + layer.drop(layer.self_attn.out_proj(attended)))
    return layer.norm2(x + layer.feed_forward(x))


def end_decoder(
    layer: DecoderLayer,
    x: Float[Tensor, "rows dim"],
    attended: Float[Tensor, "rows dim"],
    remembered: Float[Tensor, "rows dim"],
) -> Float[Tensor, "rows dim"]:
    """The layer behind the heads of its attentions: each row for itself."""
    x = layer.norm1(x + layer.drop(layer.self_attn.out_proj(attended)))
    x = layer.norm2(x + layer.drop(layer.multihead_attn.out_proj(remembered)))
    return layer.norm3(x + layer.feed_forward(x))


@functools.cache
def maybe_compiled(end: Callable[..., Tensor], compiled: bool) -> Callable[..., Tensor]:
    """``end``, if wanted as one program for all layers of its kind and any number of rows.

    One size changes from step to step, the number of rows, so nothing is compiled a second time.
    With attention inside, the lengths of the groups would be sizes too, and each new number of
    groups another program.
    """
    return torch.compile(end, dynamic=True) if compiled else end


def self_attention(
    attention: SelfAttention,
    x: Float[Tensor, "rows dim"],
    places: Places,
    read: Int[Tensor, " queries"] | None = None,
) -> Float[Tensor, "queries dim"]:
    """Heads of all rows, or of those ``read``, over their own sequences; not yet projected."""
    weight, offset, dim = attention.in_proj_weight, attention.in_proj_bias, x.shape[1]
    if read is None:
        groups = places.pad(F.linear(x, weight, offset))
        heads = [tuple(attention.heads(group, 3)) for group in groups]
    else:
        q = F.linear(x.index_select(0, read), weight[:dim], offset[:dim])
        q = rearrange(q, "(batch rows) dim -> batch rows dim", batch=len(places.order))
        groups = places.pad(F.linear(x, weight[dim:], offset[dim:]))
        heads = [
            (*attention.heads(asking, 1), *attention.heads(asked, 2))
            for asking, asked in zip(places.share(q), groups, strict=True)
        ]
    outputs = [
        rearrange(
            attend(q, k, v, mask, attention.p), "batch heads rows width -> batch rows (heads width)"
        )
        for (q, k, v), mask in zip(heads, places.masks, strict=True)
    ]
    return places.unpad(outputs) if read is None else places.unshare(outputs).flatten(0, 1)


def memory_attention(
    attention: MemoryAttention, memory: Float[Tensor, "sequences dim"], places: Places
) -> Float[Tensor, "rows dim"]:
    """Heads of all rows over the one memory item of their sequence; not yet projected.

    Each head's one weight is 1 before dropout, which acts on every head of every row.
    """
    value = places.spread(attention.value(memory))
    heads = value.unflatten(1, (attention.num_heads, -1))
    weights = dropout(value.new_ones(*heads.shape[:2], 1), attention.p)
    return (weights * heads).flatten(1)
