"""TMR (Petrovich et al., ICCV 2023): TEMOS with a contrastive loss between text and motion."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from tmr.data import CaptionPairs
from tmr.errors import InputError
from tmr.model.actor import ActorDecoder, Encoder, MirrorEncoder
from tmr.model.losses import contrastive, ignored_images, ignored_negatives, same_caption
from tmr.model.sides import NUM_SIDES, NUM_UNORDERED
from tmr.model.temos import TEMOS, LatentBatch

MIN_TEMPERATURE = 0.01  # of a learnt one, as in CLIP (Radford et al., ICML 2021)


class Temperature(nn.Module):
    """What cosine similarities are divided by: a number, or a weight that is learnt from there."""

    def __init__(self, start: float, learnt: bool) -> None:
        super().__init__()
        self.start = start
        self.log_scale = nn.Parameter(-torch.tensor(start).log()) if learnt else None

    def forward(self) -> float | Float[Tensor, ""]:
        """The temperature."""
        if self.log_scale is None:
            return self.start
        return (-self.log_scale).exp().clamp(min=MIN_TEMPERATURE)


class TMR(TEMOS):
    """TEMOS plus the term ``contrastive``.

    ``temperature`` divides cosine similarities; with ``learn_temperature`` it is where a learnt one
    starts. Negatives whose captions score above ``threshold_selfsim`` are left out, but for those
    that name other sides if ``side_aware`` (see ``ignored_negatives``); with ``side_order``, also
    those that name the same in another order. ``hardness`` weighs hard negatives (see
    ``info_nce``). With ``mirror_negatives`` the mirror image of every motion is a negative, too,
    where it is not as right (see ``ignored_images``): a ``MirrorEncoder`` has it for nothing. The
    other options are those of ``TEMOS``.
    """

    terms: ClassVar[tuple[str, ...]] = (*TEMOS.terms, "contrastive")

    def __init__(
        self,
        motion_encoder: Encoder,
        text_encoder: Encoder,
        motion_decoder: ActorDecoder | None,
        loss_weights: Mapping[str, float | int],
        temperature: float,
        threshold_selfsim: float,
        name: str = "tmr",
        sample_latents: bool = True,
        learn_temperature: bool = False,
        side_aware: bool = False,
        side_order: bool = True,
        hardness: float = 0.0,
        mirror_negatives: bool = False,
    ) -> None:
        super().__init__(
            motion_encoder, text_encoder, motion_decoder, loss_weights, name, sample_latents
        )
        if mirror_negatives and not (isinstance(motion_encoder, MirrorEncoder) and side_aware):
            raise InputError(
                f"{name}: mirror_negatives without side_aware and a tmr.model.MirrorEncoder: "
                "expected both, as in model=mirror_small, or model.mirror_negatives=false"
            )
        self.temperature = Temperature(temperature, learn_temperature)
        self.threshold_selfsim = threshold_selfsim
        self.side_aware = side_aware
        self.side_bits = NUM_SIDES if side_order else NUM_UNORDERED
        self.hardness = hardness
        self.mirror_negatives = mirror_negatives

    def latent_terms(self, batch: LatentBatch) -> dict[str, Float[Tensor, ""]]:
        """Those of TEMOS, and InfoNCE of the latents of captions and motions."""
        sides, motion = self.sides_of(batch), batch.motion_latents
        ignored = self.ignored(batch.sentences, sides)
        if isinstance(self.motion_encoder, MirrorEncoder) and self.mirror_negatives:
            motion = torch.cat([motion, self.motion_encoder.mirrored(motion)])
            images = ignored_images(batch.sentences, sides, self.threshold_selfsim)
            ignored = torch.cat([ignored, images], dim=1)
        return super().latent_terms(batch) | {
            "contrastive": self.info_nce(batch.text_latents, motion, ignored)
        }

    def info_nce(
        self,
        first: Float[Tensor, "batch dim"],
        second: Float[Tensor, "candidates dim"],
        ignored: Bool[Tensor, "batch candidates"],
    ) -> Float[Tensor, ""]:
        """InfoNCE of latents in pairs, and with what comes behind the pairs in ``second``."""
        return contrastive(first, second, ignored, self.temperature(), self.hardness)

    def ignored(
        self, sentences: Float[Tensor, "batch sdim"], sides: Bool[Tensor, "batch sides"]
    ) -> Bool[Tensor, "batch batch"]:
        """Negatives that are left out because their captions are nearly the same."""
        if self.side_aware:
            return ignored_negatives(sentences, sides, self.threshold_selfsim)
        return same_caption(sentences, self.threshold_selfsim)

    def sides_of(self, batch: LatentBatch | CaptionPairs) -> Bool[Tensor, "batch sides"]:
        """Which sides the captions name, with or without their order."""
        return batch.sides[:, : self.side_bits] > 0


def temperature_of(model: TEMOS) -> float:
    """The temperature of a model's contrastive loss, learnt or not.

    Raises:
        InputError: the model has no such loss.
    """
    if not isinstance(model, TMR):
        raise InputError(
            f"the model {model.name} has no contrastive loss, whose temperature turns similarities "
            "into probabilities: give one with temperature=0.1"
        )
    with torch.no_grad():
        return float(model.temperature())
