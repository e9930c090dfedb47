"""ACTOR-style transformers (Petrovich et al., ICCV 2021) as TEMOS and TMR use them."""

import copy
from dataclasses import replace

import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float
from torch import Tensor, nn

from tmr.model import packed as by_hand
from tmr.model import rows
from tmr.model.gaussian import Gaussian
from tmr.model.transformer import DecoderLayer, EncoderLayer, Positions, dropout, padding_bias
from tmr.sequences import Packed, Padded, owners, starts


def stack(layer: nn.Module, num_layers: int) -> nn.ModuleList:
    """Layers that all start from the weights of ``layer``, as in PyTorch's own stacks.

    The published models were trained from such a start, and still show it in their weights.
    """
    return nn.ModuleList(copy.deepcopy(layer) for _ in range(num_layers))


class ActorEncoder(nn.Module):
    """A sequence to a Gaussian: two learned tokens in front of it come out as mu and logvar.

    ``logvar_offset`` is added to the second; published runs have none. Behind a layer norm both
    tokens start with unit variance, so without it sigma starts at 1, as large as the differences
    between means, and a decoder that has to generate sees little but noise for tens of epochs.
    """

    def __init__(
        self,
        nfeats: int,
        latent_dim: int,
        ff_size: int,
        num_layers: int,
        num_heads: int,
        dropout: float,
        logvar_offset: float = 0.0,
    ) -> None:
        super().__init__()
        self.compiled = False  # see ``TEMOS.compile_layers``
        self.dropout = dropout
        self.logvar_offset = logvar_offset
        self.projection = nn.Linear(nfeats, latent_dim)
        self.tokens = nn.Parameter(torch.randn(2, latent_dim))
        self.positions = Positions(latent_dim)
        self.layers = stack(EncoderLayer(latent_dim, ff_size, num_heads, dropout), num_layers)

    def forward(self, sequence: Padded) -> Gaussian:
        """One Gaussian for each sequence; what stands in the padding does not matter."""
        return self.encode_projected(replace(sequence, x=self.projection(sequence.x)))

    def encode_projected(self, sequence: Padded) -> Gaussian:
        """``forward`` behind the projection: overlapping sequences can share that of their frames.

        The last layer computes only the two rows that are read.
        """
        x = sequence.x
        tokens = repeat(self.tokens, "two dim -> batch two dim", batch=len(x)).to(x.dtype)
        x = torch.cat([tokens, x], dim=1)
        x = x + self.positions(x.shape[1])
        if self.training:
            x = dropout(x, self.dropout)
        always = sequence.mask.new_ones(len(x), 2)
        bias = padding_bias(torch.cat([always, sequence.mask], dim=1))
        for layer in self.layers[:-1]:
            x = layer(x, bias)
        mu, logvar = rearrange(
            self.layers[-1](x, bias, rows=2), "batch two dim -> two batch dim"
        ).float()
        return Gaussian(mu, logvar + self.logvar_offset)

    def encode_packed(self, sequences: Packed) -> Gaussian:
        """``forward`` of packed sequences, for training."""
        lengths, device = tuple(length + 2 for length in sequences.lengths), sequences.x.device
        first = torch.tensor(starts(lengths))
        front = rearrange(first[:, None] + torch.arange(2), "batch two -> (batch two)")
        front = front.to(device, non_blocking=True)
        owner, _ = owners(sequences.lengths, device)
        behind = torch.arange(len(owner), device=device) + 2 * (owner + 1)
        tokens = repeat(self.tokens, "two dim -> (batch two) dim", batch=len(lengths))
        frames = self.projection(sequences.x).to(tokens.dtype)
        x = tokens.new_empty(sum(lengths), tokens.shape[1])
        x = x.index_copy(0, front, tokens).index_copy(0, behind, frames)
        x = x + self.positions(max(lengths))[owners(lengths, device)[1]]
        packed = Packed(dropout(x, self.dropout) if self.training else x, lengths)
        if by_hand.applies(x):
            x = by_hand.encode(self.layers, packed, front)
        else:
            x = rows.encode(self.layers, packed, front, self.compiled)
        mu, logvar = rearrange(x, "(batch two) dim -> two batch dim", two=2).float()
        return Gaussian(mu, logvar + self.logvar_offset)


class ActorDecoder(nn.Module):
    """A latent to a sequence: positional encodings attend to each other and to the latent."""

    def __init__(
        self,
        nfeats: int,
        latent_dim: int,
        ff_size: int,
        num_layers: int,
        num_heads: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.compiled = False
        self.dropout = dropout
        self.positions = Positions(latent_dim)
        self.layers = stack(DecoderLayer(latent_dim, ff_size, num_heads, dropout), num_layers)
        self.final_layer = nn.Linear(latent_dim, nfeats)

    def forward(
        self, latent: Float[Tensor, "batch dim"], mask: Bool[Tensor, "batch time"]
    ) -> Float[Tensor, "batch time nfeats"]:
        """A sequence as long as the mask says for each latent; zero on padding."""
        queries = self.positions(mask.shape[1])
        x = repeat(queries, "time dim -> batch time dim", batch=len(latent))
        if self.training:
            x = dropout(x, self.dropout)
        bias = padding_bias(mask)
        for layer in self.layers:
            x = layer(x, latent, bias)
        x = self.final_layer(x)
        return x if bias is None else x * rearrange(mask, "batch time -> batch time 1")

    def decode_packed(
        self, latent: Float[Tensor, "batch dim"], lengths: tuple[int, ...]
    ) -> Float[Tensor, "rows nfeats"]:
        """``forward`` to packed sequences, for training."""
        x = self.positions(max(lengths))[owners(lengths, latent.device)[1]]
        packed = Packed(dropout(x, self.dropout) if self.training else x, lengths)
        if by_hand.applies(x):
            return self.final_layer(by_hand.decode(self.layers, packed, latent))
        return self.final_layer(rows.decode(self.layers, packed, latent, self.compiled))
