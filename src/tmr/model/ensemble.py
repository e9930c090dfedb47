"""Several trained encoders as one, whose cosines are the mean of the members' cosines."""

from collections.abc import Sequence
from dataclasses import replace
from math import sqrt

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tmr.model.actor import ActorEncoder
from tmr.model.gaussian import Gaussian
from tmr.sequences import Packed


class EncoderEnsemble(nn.Module):
    """Encoders that were trained apart, each with its partner of the other modality.

    A latent is the members' unit latents side by side, over the root of their number: the cosine of
    a text and a motion is the mean of the members' cosines, and varies less with the seed.
    """

    def __init__(self, members: Sequence[ActorEncoder]) -> None:
        super().__init__()
        self.nfeats = members[0].nfeats
        self.members = nn.ModuleList(members)

    def forward(self, sequences: Packed) -> Gaussian:
        """One Gaussian for each sequence; its mean has length 1."""
        return self.encode_projected(replace(sequences, x=self.projection(sequences.x)))

    def projection(self, x: Float[Tensor, "tokens feat"]) -> Float[Tensor, "tokens widths"]:
        """The members' projections side by side (see ``ActorEncoder.encode_projected``)."""
        return torch.cat([member.projection(x) for member in self._encoders()], dim=-1)

    def encode_projected(self, sequences: Packed) -> Gaussian:
        """``forward`` behind the projection."""
        encoders = self._encoders()
        widths = [encoder.projection.out_features for encoder in encoders]
        parts = [
            encoder.encode_projected(replace(sequences, x=x))
            for encoder, x in zip(encoders, sequences.x.split(widths, dim=-1), strict=True)
        ]
        mu = torch.cat([F.normalize(part.mu, dim=-1) for part in parts], dim=-1)
        logvar = torch.cat([part.logvar for part in parts], dim=-1)
        return Gaussian(mu / sqrt(len(parts)), logvar)

    def _encoders(self) -> list[ActorEncoder]:
        return [member for member in self.members if isinstance(member, ActorEncoder)]
