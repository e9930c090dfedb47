"""ACTOR-style transformers (Petrovich et al., ICCV 2021) as TEMOS and TMR use them."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import cast

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn

from tmr.model.gaussian import Gaussian
from tmr.model.packed_attention import PaddedGroups, dropout
from tmr.model.transformer import DecoderLayer, EncoderLayer, Positions
from tmr.sequences import Packed, starts


def stack(layer: nn.Module, num_layers: int) -> nn.ModuleList:
    """Layers that all start from the weights of ``layer``, as in PyTorch's own stacks.

    The published models were trained from such a start, and still show it in their weights.
    """
    return nn.ModuleList(copy.deepcopy(layer) for _ in range(num_layers))


class Encoder(nn.Module, ABC):
    """Sequences to Gaussians: a projection of single rows, and what follows it."""

    latent_dim: int
    projection: Callable[[Tensor], Tensor]

    def forward(self, sequences: Packed) -> Gaussian:
        """One Gaussian for each sequence."""
        return self.encode_projected(replace(sequences, x=self.projection(sequences.x)))

    @abstractmethod
    def encode_projected(self, sequences: Packed) -> Gaussian:
        """``forward`` behind the projection, which overlapping sequences can share."""


class ActorEncoder(Encoder):
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
        self.latent_dim = latent_dim
        self.dropout = dropout
        self.logvar_offset = logvar_offset
        self.projection = nn.Linear(nfeats, latent_dim)
        self.tokens = nn.Parameter(torch.randn(2, latent_dim))
        self.positions = Positions(latent_dim)
        self.layers = stack(EncoderLayer(latent_dim, ff_size, num_heads, dropout), num_layers)

    def encode_projected(self, sequences: Packed) -> Gaussian:
        """As above. The last layer computes only the two tokens that are read."""
        tokens = repeat(self.tokens, "two dim -> batch two dim", batch=len(sequences))
        frames = sequences.x.to(tokens.dtype).split(sequences.lengths)
        x = torch.cat([part for pair in zip(tokens, frames, strict=True) for part in pair])
        lengths = tuple(2 + length for length in sequences.lengths)
        x = x + self.positions(lengths, x.device)
        if self.training:
            x = dropout(x, self.dropout)

        groups = PaddedGroups.of(lengths, x.device)
        for layer in self.layers[:-1]:
            x = layer(x, groups)
        first_two = rearrange(
            torch.tensor(starts(lengths))[:, None] + torch.arange(2), "batch two -> (batch two)"
        ).to(x.device, non_blocking=True)
        x = self.layers[-1](x, groups, read=first_two)
        mu, logvar = rearrange(x, "(batch two) dim -> two batch dim", two=2).float()
        return Gaussian(mu, logvar + self.logvar_offset)


class EncoderEnsemble(Encoder):
    """Encoders of several trainings side by side: their unit means, one behind the other.

    The cosine similarity of two such latents is the mean of those of the members, which evens out
    what single trainings learn by chance (Lakshminarayanan et al., NeurIPS 2017). ``members`` is
    their number; the other options are those of each.
    """

    def __init__(
        self,
        members: int,
        nfeats: int,
        latent_dim: int,
        ff_size: int,
        num_layers: int,
        num_heads: int,
        dropout: float,
        logvar_offset: float = 0.0,
    ) -> None:
        super().__init__()
        self.latent_dim = members * latent_dim
        self.members = nn.ModuleList(
            ActorEncoder(nfeats, latent_dim, ff_size, num_layers, num_heads, dropout, logvar_offset)
            for _ in range(members)
        )

    @property
    def encoders(self) -> list[ActorEncoder]:
        """The members."""
        return cast("list[ActorEncoder]", list(self.members))

    def projection(self, x: Float[Tensor, "rows feat"]) -> Float[Tensor, "rows members_dim"]:
        """The members' projections, one behind the other."""
        return torch.cat([member.projection(x) for member in self.encoders], dim=-1)

    def encode_projected(self, sequences: Packed) -> Gaussian:
        """As above, by every member."""
        parts = sequences.x.chunk(len(self.members), dim=-1)
        found = [
            member.encode_projected(replace(sequences, x=part))
            for member, part in zip(self.encoders, parts, strict=True)
        ]
        unit = [F.normalize(gaussian.mu, dim=-1) for gaussian in found]
        return Gaussian(torch.cat(unit, dim=-1), torch.cat([g.logvar for g in found], dim=-1))


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
        self.dropout = dropout
        self.positions = Positions(latent_dim)
        self.layers = stack(DecoderLayer(latent_dim, ff_size, num_heads, dropout), num_layers)
        self.final_layer = nn.Linear(latent_dim, nfeats)

    def forward(self, latents: Float[Tensor, "batch dim"], lengths: tuple[int, ...]) -> Packed:
        """A sequence of ``lengths[i]`` frames from latent i."""
        x = self.positions(lengths, latents.device)
        if self.training:
            x = dropout(x, self.dropout)
        groups = PaddedGroups.of(lengths, x.device)
        for layer in self.layers:
            x = layer(x, latents, groups)
        return Packed(self.final_layer(x), lengths)
