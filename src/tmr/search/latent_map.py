"""A gallery as points on a plane."""

import torch
from jaxtyping import Float
from torch import Tensor


def latent_map(latents: Float[Tensor, "n dim"]) -> Float[Tensor, "n 2"]:
    """The two principal components of latents, scaled so that the farthest coordinate is 1.

    An axis points to where its largest loading is positive, so equal latents give an equal map.
    """
    centered = latents.double() - latents.double().mean(dim=0)
    _, axes = torch.linalg.eigh(centered.mT @ centered)  # eigenvalues from small to large
    axes = axes[:, [-1, -2]]
    largest = axes.gather(0, axes.abs().argmax(dim=0, keepdim=True))
    points = centered @ (axes * largest.sign())
    return (points / points.abs().max().clamp(min=1e-12)).float()
