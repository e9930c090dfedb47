"""TEMOS (Petrovich et al., ECCV 2022): text and motion share one latent space and one decoder."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Generator, Tensor, nn

from tmr.data import Batch
from tmr.errors import InputError
from tmr.model.actor import ActorDecoder, Encoder
from tmr.model.distributed import SINGLE_PROCESS, ProcessGroup
from tmr.model.gaussian import Gaussian
from tmr.model.losses import check_names, kl_terms, weigh
from tmr.model.transformer import Layer
from tmr.sequences import Packed


@dataclass(frozen=True, slots=True)
class LatentBatch:
    """A whole batch in the latent space, from all processes: what the loss terms compare.

    Latents are drawn from the Gaussians in training, and are their means in evaluation. ``sides``
    are ``tmr.text.left_right.side_bits`` of the captions, as numbers.
    """

    text: Gaussian
    motion: Gaussian
    text_latents: Float[Tensor, "batch dim"]
    motion_latents: Float[Tensor, "batch dim"]
    sentences: Float[Tensor, "batch sdim"]
    sides: Float[Tensor, "batch sides"]

    def all_gather(self, group: ProcessGroup) -> "LatentBatch":
        """This process's samples together with those of all others."""
        text_mu, text_logvar, motion_mu, motion_logvar, *rest = group.all_gather(
            self.text.mu,
            self.text.logvar,
            self.motion.mu,
            self.motion.logvar,
            self.text_latents,
            self.motion_latents,
            self.sentences,
            self.sides,
        )
        return LatentBatch(
            Gaussian(text_mu, text_logvar), Gaussian(motion_mu, motion_logvar), *rest
        )


@dataclass(frozen=True, slots=True)
class Step:
    """What one batch gives: each loss by name, with their weighted sum ``loss``, and the latents.

    The latents are means, in training too: they are what retrieval compares.
    """

    losses: dict[str, Float[Tensor, ""]]
    motion: Float[Tensor, "batch dim"]
    text: Float[Tensor, "batch dim"]


class TEMOS(nn.Module):
    """Motion encoder, text encoder and motion decoder with the losses of TEMOS.

    Every term of ``terms`` needs a weight; a weight of 0 leaves the term out. Without
    ``motion_decoder`` there is no reconstruction, so that ``recons`` has the weight 0. Without
    ``sample_latents`` the latents are the means in training, too: no variational autoencoder.

    A subclass adds a loss by a name in ``terms`` and a value in ``latent_terms`` or
    ``pair_terms``.
    """

    terms: ClassVar[tuple[str, ...]] = ("recons", "kl", "latent")

    def __init__(
        self,
        motion_encoder: Encoder,
        text_encoder: Encoder,
        motion_decoder: ActorDecoder | None,
        loss_weights: Mapping[str, float | int],
        name: str = "temos",
        sample_latents: bool = True,
    ) -> None:
        super().__init__()
        check_names(self.terms, loss_weights)
        if (motion_decoder is None) != (loss_weights["recons"] == 0):
            raise InputError(
                f"loss_weights.recons is {loss_weights['recons']:g}"
                f"{' without' if motion_decoder is None else ', with'} a motion_decoder: a model "
                "without decoder has motion_decoder=null and loss_weights.recons=0"
            )
        self.name = name
        self.motion_encoder = motion_encoder
        self.text_encoder = text_encoder
        self.motion_decoder = motion_decoder
        self.loss_weights = dict(loss_weights)
        self.sample_latents = sample_latents

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the modules that have weights: a run folder has a file for each."""
        return tuple(name for name, child in self.named_children() if child.state_dict())

    def encode_motion(self, motion: Packed) -> Gaussian:
        """Gaussians of normalized motion features."""
        return self.motion_encoder(motion)

    def encode_text(self, tokens: Packed) -> Gaussian:
        """Gaussians of the token states of captions."""
        return self.text_encoder(tokens)

    def decode(self, latents: Float[Tensor, "batch dim"], lengths: tuple[int, ...]) -> Packed:
        """Normalized motion features of ``lengths`` frames.

        Raises:
            InputError: the model has no decoder.
        """
        if self.motion_decoder is None:
            raise InputError(
                f"the model {self.name} has no motion decoder: it searches and scores, but cannot "
                "generate; choose a run trained with a decoder"
            )
        return self.motion_decoder(latents, lengths)

    def forward(
        self,
        batch: Batch,
        generator: Generator | None = None,
        group: ProcessGroup = SINGLE_PROCESS,
    ) -> Step:
        """Losses and latents of a batch of motions with their captions.

        ``generator`` draws the latents. ``group`` is where the rest of the batch is: the losses
        are those of all of it, ``recons`` (and with it ``loss``) once averaged over the processes.
        """
        motion = batch.motion

        # Each encoder maps a sequence to a Gaussian in the one latent space (section 3.2).
        of_text, of_motion = self.encode_text(batch.text), self.encode_motion(motion)

        # A latent is drawn from it in training: mu + sigma * noise.
        drawn = self.training and self.sample_latents
        text_latents = of_text.sample(generator) if drawn else of_text.mu
        motion_latents = of_motion.sample(generator) if drawn else of_motion.mu

        # The one decoder is to give the motion back, from either of its latents.
        terms = {}
        if self.motion_decoder is not None:
            decoded = self.decode(torch.cat([text_latents, motion_latents]), motion.lengths * 2)
            errors = [F.smooth_l1_loss(m, motion.x, reduction="sum") for m in decoded.x.chunk(2)]
            terms["recons"] = group.entry_weight(motion) * torch.stack(errors).sum()

        # All other terms compare the latents of the whole batch, wherever its samples are.
        mine = LatentBatch(
            of_text,
            of_motion,
            text_latents,
            motion_latents,
            batch.sentences.float(),
            batch.sides.float(),
        )
        terms |= self.latent_terms(mine.all_gather(group)) | self.pair_terms(batch, group)
        return Step(weigh(terms, self.loss_weights), of_motion.mu, of_text.mu)

    def latent_terms(self, batch: LatentBatch) -> dict[str, Float[Tensor, ""]]:
        """The terms of ``terms`` that compare latents, all but ``recons``."""
        return {
            "kl": kl_terms(batch.motion, batch.text),
            "latent": F.smooth_l1_loss(batch.text_latents, batch.motion_latents),
        }

    def pair_terms(self, batch: Batch, group: ProcessGroup) -> dict[str, Float[Tensor, ""]]:
        """The terms that compare captions of motions outside the batch: none here."""
        return {}

    def compile_layers(self) -> None:
        """Let ``torch.compile`` fuse what each transformer layer does behind its attention."""
        for module in self.modules():
            if isinstance(module, Layer):
                module.compiled = True
