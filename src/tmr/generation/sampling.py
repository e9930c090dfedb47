"""Latents to decode into motion: draws around texts, and the way from one text to another.

Source: Petrovich et al., "TEMOS: Generating Diverse Human Motions from Textual Descriptions"
(ECCV 2022), section 3.
"""

import hashlib
import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from tmr.errors import InputError
from tmr.model import Gaussian
from tmr.motion.skeleton import FPS

SHORTEST = 0.5  # seconds: below it there is nothing that a caption describes


def draw(
    texts: Sequence[str], gaussians: Gaussian, samples: int, fact: float | int, seed: int
) -> Float[Tensor, "texts samples dim"]:
    """mu + ``fact`` * sigma * noise: latents of ``samples`` motions for each text.

    A ``fact`` of 1 draws from the text's Gaussian, 0 gives its mean, and more than 1 departs
    farther from it. Noise depends on the seed, the text and the sample's number alone: not on the
    other texts, on how many samples there are, or on the device.

    Raises:
        InputError: no sample, or a ``fact`` that is negative or no number.
    """
    if samples < 1:
        raise InputError(f"samples={samples}: expected at least 1")
    if not (math.isfinite(fact) and fact >= 0):
        raise InputError(f"fact={fact:g}: expected 0, the mean, or more; 1 draws as in training")
    dim = gaussians.mu.shape[-1]
    noise = torch.stack([noise_of(text, samples, dim, seed) for text in texts])
    sigma = (gaussians.logvar / 2).exp()
    return gaussians.mu[:, None] + fact * sigma[:, None] * noise.to(gaussians.mu)


def noise_of(text: str, samples: int, dim: int, seed: int) -> Float[Tensor, "samples dim"]:
    """Standard normal noise for a text, on the CPU."""
    digest = hashlib.sha256(f"{seed}\0{text}".encode("utf-8", "surrogatepass")).digest()
    generator = Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
    return torch.stack([torch.randn(dim, generator=generator) for _ in range(samples)])


def between(
    first: Float[Tensor, "*n dim"], second: Float[Tensor, "*n dim"], steps: int
) -> Float[Tensor, "steps *n dim"]:
    """Latents on the straight line from ``first`` to ``second``, both included.

    Raises:
        InputError: fewer than two steps.
    """
    if steps < 2:
        raise InputError(f"steps={steps}: expected at least 2, the two texts themselves")
    weights = torch.linspace(0, 1, steps).to(first).reshape(-1, *[1] * first.ndim)
    return torch.lerp(first, second, weights)


def frames_of_seconds(seconds: Sequence[float | int], longest: float | int) -> list[int]:
    """Lengths in frames, 20 a second.

    Raises:
        InputError: one is no number, below half a second, or above ``longest``: positions that no
            training motion reached were never learned.
    """
    for length in seconds:
        if not (math.isfinite(length) and SHORTEST <= length <= longest):
            raise InputError(
                f"seconds={length:g}: expected {SHORTEST:g} to {longest:g}, the length of the "
                "longest motions that the model was trained on"
            )
    return [round(length * FPS) for length in seconds]
