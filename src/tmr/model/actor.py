"""ACTOR-style transformers (Petrovich et al., ICCV 2021) as TEMOS and TMR use them."""

import copy
from abc import ABC, abstractmethod
from dataclasses import replace
from functools import partial
from typing import Any, cast

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn

from tmr.errors import InputError
from tmr.model.gaussian import Gaussian
from tmr.model.packed_attention import PaddedGroups, dropout
from tmr.model.transformer import DecoderLayer, EncoderLayer, Positions
from tmr.motion.features import MIRRORED_COLUMNS, MIRRORED_SIGNS, NUM_FEATURES
from tmr.sequences import Packed, starts


def stack(layer: nn.Module, num_layers: int) -> nn.ModuleList:
    """Layers that all start from the weights of ``layer``, as in PyTorch's own stacks.

    The published models were trained from such a start, and still show it in their weights.
    """
    return nn.ModuleList(copy.deepcopy(layer) for _ in range(num_layers))


class Encoder(nn.Module, ABC):
    """Sequences to Gaussians: a projection of single rows, and what follows it."""

    latent_dim: int

    def forward(self, sequences: Packed) -> Gaussian:
        """One Gaussian for each sequence."""
        return self.encode_projected(replace(sequences, x=self.project(sequences.x)))

    @abstractmethod
    def project(self, x: Float[Tensor, "rows feat"]) -> Float[Tensor, "rows width"]:
        """Each row on its own, as the layers read it."""

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

    def project(self, x: Float[Tensor, "rows feat"]) -> Float[Tensor, "rows dim"]:
        """The linear projection."""
        return self.projection(x)

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


class MirrorEncoder(ActorEncoder):
    """An encoder of motions that knows their mirror images: equivariant by construction.

    A motion and its mirror image pass through the same weights. In the mean, the first
    ``latent_dim - odd`` numbers are the averages of both, so they are the same for the mirror
    image; the last ``odd`` are half of the difference, so they change their sign. What tells left
    from right lies there, and nowhere else. The other options are those of ``ActorEncoder``.

    Normalized features are mirrored by swapping columns and signs, which is exact where mean and
    deviation are those of mirrored motions too. Such features alone have an image: 263 numbers.

    Raises:
        InputError: other features, or no number of the latent left for either part.
    """

    columns: Tensor
    signs: Tensor

    def __init__(self, odd: int, **options: Any) -> None:
        super().__init__(**options)
        if self.projection.in_features != NUM_FEATURES or not 0 < odd < self.latent_dim:
            raise InputError(
                f"a MirrorEncoder with nfeats={self.projection.in_features}, odd={odd}: expected "
                f"nfeats={NUM_FEATURES} and 1 to {self.latent_dim - 1} for odd"
            )
        self.odd = odd
        self.register_buffer("columns", torch.from_numpy(MIRRORED_COLUMNS), persistent=False)
        self.register_buffer("signs", torch.from_numpy(MIRRORED_SIGNS), persistent=False)

    def project(self, x: Float[Tensor, "rows 263"]) -> Float[Tensor, "rows twice_dim"]:
        """The projections of rows and of their mirror images, side by side."""
        own, bias = self.projection.weight, self.projection.bias
        image = own[:, self.columns] * self.signs
        return F.linear(x, torch.cat([own, image]), torch.cat([bias, bias]))

    def encode_projected(self, sequences: Packed) -> Gaussian:
        """As above, of motions and mirror images together."""
        rows = torch.cat(sequences.x.chunk(2, dim=1))
        both = super().encode_projected(Packed(rows, 2 * sequences.lengths))
        (own, image), logvars = both.mu.chunk(2), both.logvar.chunk(2)
        even, odd = (own + image) / 2, (own - image) / 2
        mean = torch.cat([even[:, : -self.odd], odd[:, -self.odd :]], dim=1)
        return Gaussian(mean, (logvars[0] + logvars[1]) / 2)

    def mirrored(self, latents: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
        """The latents of the mirror images."""
        return torch.cat([latents[:, : -self.odd], -latents[:, -self.odd :]], dim=1)


class EncoderEnsemble(Encoder):
    """Encoders of several trainings side by side: their unit means, one behind the other.

    The cosine similarity of two such latents is the mean of those of the members, which evens out
    what single trainings learn by chance (Lakshminarayanan et al., NeurIPS 2017). ``members`` is
    their number; the other options are those of each, a ``MirrorEncoder`` if ``odd``.
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
        odd: int = 0,
    ) -> None:
        super().__init__()
        self.latent_dim = members * latent_dim
        made = partial(MirrorEncoder, odd) if odd else ActorEncoder
        self.members = nn.ModuleList(
            made(
                nfeats=nfeats, latent_dim=latent_dim, ff_size=ff_size, num_layers=num_layers,
                num_heads=num_heads, dropout=dropout, logvar_offset=logvar_offset,
            )
            for _ in range(members)
        )  # fmt: skip

    @property
    def encoders(self) -> list[ActorEncoder]:
        """The members."""
        return cast("list[ActorEncoder]", list(self.members))

    def project(self, x: Float[Tensor, "rows feat"]) -> Float[Tensor, "rows members_dim"]:
        """The members' projections, one behind the other."""
        return torch.cat([member.project(x) for member in self.encoders], dim=-1)

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
