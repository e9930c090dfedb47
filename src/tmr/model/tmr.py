"""TMR (Petrovich et al., ICCV 2023): TEMOS with a contrastive loss between text and motion."""

from collections.abc import Mapping
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from tmr.model.actor import ActorDecoder, ActorEncoder
from tmr.model.losses import contrastive
from tmr.model.temos import TEMOS, LatentBatch


class TMR(TEMOS):
    """TEMOS plus the term ``contrastive``.

    ``temperature`` divides cosine similarities; negatives whose captions score above
    ``threshold_selfsim`` are left out. The other options are those of ``TEMOS``.
    """

    terms: ClassVar[tuple[str, ...]] = (*TEMOS.terms, "contrastive")

    def __init__(
        self,
        motion_encoder: ActorEncoder,
        text_encoder: ActorEncoder,
        motion_decoder: ActorDecoder | None,
        loss_weights: Mapping[str, float | int],
        temperature: float,
        threshold_selfsim: float,
        name: str = "tmr",
        sample_latents: bool = True,
    ) -> None:
        super().__init__(
            motion_encoder, text_encoder, motion_decoder, loss_weights, name, sample_latents
        )
        self.temperature = temperature
        self.threshold_selfsim = threshold_selfsim

    def latent_terms(self, batch: LatentBatch) -> dict[str, Float[Tensor, ""]]:
        """Those of TEMOS, and InfoNCE without negatives whose captions are nearly the same."""
        return super().latent_terms(batch) | {
            "contrastive": contrastive(
                batch.text_latents,
                batch.motion_latents,
                batch.sentences,
                self.temperature,
                self.threshold_selfsim,
            )
        }
