"""Diagonal Gaussians: what the encoders return."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor


@dataclass(frozen=True, slots=True)
class Gaussian:
    """One diagonal Gaussian for each sequence; the mean is the latent that retrieval compares."""

    mu: Float[Tensor, "batch dim"]
    logvar: Float[Tensor, "batch dim"]

    def sample(self, generator: Generator | None = None) -> Float[Tensor, "batch dim"]:
        """One reparameterized draw each: mu + sigma * noise."""
        noise = torch.empty_like(self.mu).normal_(generator=generator)
        return self.mu + (self.logvar / 2).exp() * noise
