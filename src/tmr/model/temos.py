"""TEMOS (Petrovich et al., ECCV 2022): text and motion share one latent space and one decoder."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Generator, Tensor, nn

from tmr.model.gaussian import Gaussian
from tmr.model.losses import check_names, kl_terms, reconstruction, weigh
from tmr.padded import Padded


@dataclass(frozen=True, slots=True)
class Step:
    """What one batch gives: each loss by name, with their weighted sum ``loss``, and the latents.

    The latents are means, in training too: they are what retrieval compares.
    """

    losses: dict[str, Float[Tensor, ""]]
    motion: Float[Tensor, "batch dim"]
    text: Float[Tensor, "batch dim"]


class TEMOS(nn.Module):
    """Motion encoder, text encoder and motion decoder with the losses of TEMOS."""

    terms: ClassVar[tuple[str, ...]] = ("recons", "kl", "latent")

    def __init__(
        self,
        motion_encoder: nn.Module,
        text_encoder: nn.Module,
        motion_decoder: nn.Module,
        loss_weights: Mapping[str, float],
        name: str = "temos",
    ) -> None:
        super().__init__()
        check_names(self.terms, loss_weights)
        self.name = name
        self.motion_encoder = motion_encoder
        self.text_encoder = text_encoder
        self.motion_decoder = motion_decoder
        self.loss_weights = dict(loss_weights)

    def encode_motion(self, motion: Padded) -> Gaussian:
        """Gaussians of normalised motion features."""
        return self.motion_encoder(motion)

    def encode_text(self, tokens: Padded) -> Gaussian:
        """Gaussians of the token states of captions."""
        return self.text_encoder(tokens)

    def decode(
        self, latents: Float[Tensor, "batch dim"], mask: Bool[Tensor, "batch time"]
    ) -> Float[Tensor, "batch time feat"]:
        """Normalised motion features as long as the mask says; zero on padding."""
        return self.motion_decoder(latents, mask)

    def losses(
        self,
        motion: Padded,
        text: Padded,
        sentences: Float[Tensor, "batch sdim"],
        generator: Generator | None = None,
    ) -> dict[str, Float[Tensor, ""]]:
        """Each loss by name, and their weighted sum under ``loss``: see ``forward``."""
        return self(motion, text, sentences, generator).losses

    def forward(
        self,
        motion: Padded,
        text: Padded,
        sentences: Float[Tensor, "batch sdim"],
        generator: Generator | None = None,
    ) -> Step:
        """Losses and latents of a batch of motions with their captions.

        Latents are sampled in training, with ``generator`` if given, and are the means in
        evaluation. Both are decoded in one call. ``sentences`` are the captions' sentence vectors.
        """
        from_motion, from_text = self.encode_motion(motion), self.encode_text(text)
        if self.training:
            of_text, of_motion = from_text.sample(generator), from_motion.sample(generator)
        else:
            of_text, of_motion = from_text.mu, from_motion.mu
        decoded = rearrange(
            self.decode(torch.cat([of_text, of_motion]), torch.cat([motion.mask] * 2)),
            "(copies batch) time feat -> copies batch time feat",
            copies=2,
        )
        terms = {
            "recons": reconstruction(decoded, motion.x, motion.mask),
            "kl": kl_terms(from_motion, from_text),
            "latent": F.smooth_l1_loss(of_text, of_motion),
            **self.more_terms(of_text, of_motion, sentences),
        }
        losses = {**terms, "loss": weigh(terms, self.loss_weights)}
        return Step(losses, from_motion.mu, from_text.mu)

    def more_terms(
        self,
        text: Float[Tensor, "batch dim"],
        motion: Float[Tensor, "batch dim"],
        sentences: Float[Tensor, "batch sdim"],
    ) -> dict[str, Float[Tensor, ""]]:
        """Terms that a model adds to those of TEMOS, of the latents of text and motion."""
        return {}
