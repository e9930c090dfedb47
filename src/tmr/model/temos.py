"""TEMOS (Petrovich et al., ECCV 2022): text and motion share one latent space and one decoder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor, nn

from tmr.model.actor import ActorDecoder, ActorEncoder
from tmr.model.distributed import SINGLE_PROCESS, ProcessGroup
from tmr.model.gaussian import Gaussian
from tmr.model.losses import check_names, kl_terms, reconstruction, weigh
from tmr.sequences import Packed, Padded, pieces

GROUP_SIZE = 8  # of 4, 8 and 16, the fastest on two cores at a batch of 32


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
    parts: ClassVar[tuple[str, ...]] = ("motion_encoder", "text_encoder", "motion_decoder")

    def __init__(
        self,
        motion_encoder: ActorEncoder,
        text_encoder: ActorEncoder,
        motion_decoder: ActorDecoder,
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
        """Gaussians of normalized motion features."""
        return self.motion_encoder(motion)

    def encode_text(self, tokens: Padded) -> Gaussian:
        """Gaussians of the token states of captions."""
        return self.text_encoder(tokens)

    def decode(
        self, latents: Float[Tensor, "batch dim"], mask: Bool[Tensor, "batch time"]
    ) -> Float[Tensor, "batch time feat"]:
        """Normalized motion features as long as the mask says; zero on padding."""
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
        ranks: ProcessGroup = SINGLE_PROCESS,
        sides: Bool[Tensor, "batch 4"] | None = None,
    ) -> Step:
        """Losses and latents of a batch of motions with their captions; ``sides`` do not matter.

        Latents are sampled in training, with ``generator`` if given, and are the means in
        evaluation. Both are decoded in one call a group. ``sentences`` are the captions' sentence
        vectors. ``ranks`` says where the rest of the batch is: the losses are those of all of it,
        ``recons`` (and with it ``loss``) once averaged over the processes.
        """
        from_motion, from_text = self._encode(motion, text)
        if self.training:
            of_text, of_motion = from_text.sample(generator), from_motion.sample(generator)
        else:
            of_text, of_motion = from_text.mu, from_motion.mu
        recons = self._reconstruction(torch.stack([of_text, of_motion]), motion)
        latents = [of_text, of_motion, from_text.mu, from_text.logvar]
        latents += [from_motion.mu, from_motion.logvar, sentences.float()]
        all_text, all_motion, *gaussians, all_sentences = ranks.gather(*latents)
        terms = {
            "recons": ranks.share(motion) * recons,
            "kl": kl_terms(Gaussian(*gaussians[2:]), Gaussian(*gaussians[:2])),
            "latent": F.smooth_l1_loss(all_text, all_motion),
            **self.more_terms(all_text, all_motion, all_sentences),
        }
        losses = {**terms, "loss": weigh(terms, self.loss_weights)}
        return Step(losses, from_motion.mu, from_text.mu)

    def compile_layers(self) -> None:
        """Let ``torch.compile`` fuse the steps of each transformer layer in training.

        For GPUs: what a CPU runs has its gradients by hand and does not pass here.
        """
        for module in (self.motion_encoder, self.text_encoder, self.motion_decoder):
            module.compiled = True

    def _encode(self, motion: Padded, text: Padded) -> tuple[Gaussian, Gaussian]:
        if self.training:
            return (
                self.motion_encoder.encode_packed(Packed.of(motion)),
                self.text_encoder.encode_packed(Packed.of(text)),
            )
        parts = [(rows, self.encode_motion(group)) for rows, group in groups(motion)]
        return in_batch_order(parts), self.encode_text(text)

    def _reconstruction(
        self, latents: Float[Tensor, "copies batch dim"], motion: Padded
    ) -> Float[Tensor, ""]:
        """``reconstruction`` of the motion from each copy of its latents, decoded in one call."""
        copies, entries = len(latents), motion.x.numel()  # the mean is over all padded entries
        if self.training:
            frames = Packed.of(motion)
            decoded = self.motion_decoder.decode_packed(
                rearrange(latents, "copies batch dim -> (copies batch) dim"),
                frames.lengths * copies,
            )
            target = repeat(frames.x, "rows feat -> (copies rows) feat", copies=copies)
            return F.smooth_l1_loss(decoded, target, reduction="sum") / entries
        total = latents.new_zeros(())
        for rows, group in groups(motion):
            decoded = self.decode(
                rearrange(latents[:, rows], "copies batch dim -> (copies batch) dim"),
                repeat(group.mask, "batch time -> (copies batch) time", copies=copies),
            )
            decoded = rearrange(
                decoded, "(copies batch) time feat -> copies batch time feat", copies=copies
            )
            total = total + group.x.numel() * reconstruction(decoded, group.x, group.mask)
        return total / entries

    def more_terms(
        self,
        text: Float[Tensor, "batch dim"],
        motion: Float[Tensor, "batch dim"],
        sentences: Float[Tensor, "batch sdim"],
    ) -> dict[str, Float[Tensor, ""]]:
        """Terms that a model adds to those of TEMOS, of the latents of text and motion."""
        return {}


def groups(motion: Padded) -> list[tuple[Int[Tensor, " piece"], Padded]]:
    """The motions as they go to be evaluated: on the CPU in groups of like length.

    A batch of random motions is half padding. Groups leave that out without a change to the
    losses or to which motions meet in a batch. A GPU is filled better by the whole batch.
    """
    if motion.x.device.type == "cpu":
        return pieces(motion, GROUP_SIZE)
    return [(torch.arange(len(motion), device=motion.x.device), motion)]


def in_batch_order(parts: Sequence[tuple[Int[Tensor, " piece"], Gaussian]]) -> Gaussian:
    """Gaussians of groups as those of the whole batch, given each group's rows."""
    order = torch.cat([rows for rows, _ in parts]).argsort()
    mu = torch.cat([gaussian.mu for _, gaussian in parts])[order]
    return Gaussian(mu, torch.cat([gaussian.logvar for _, gaussian in parts])[order])
