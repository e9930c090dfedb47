"""TMR (Petrovich et al., ICCV 2023): TEMOS with a contrastive loss between text and motion."""

from collections.abc import Mapping
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from tmr.model.actor import ActorDecoder, ActorEncoder
from tmr.model.losses import contrastive
from tmr.model.temos import TEMOS


class TMR(TEMOS):
    """TEMOS plus the term ``contrastive``."""

    terms: ClassVar[tuple[str, ...]] = (*TEMOS.terms, "contrastive")

    def __init__(
        self,
        motion_encoder: ActorEncoder,
        text_encoder: ActorEncoder,
        motion_decoder: ActorDecoder,
        loss_weights: Mapping[str, float],
        temperature: float,
        threshold_selfsim: float,
        name: str = "tmr",
    ) -> None:
        super().__init__(motion_encoder, text_encoder, motion_decoder, loss_weights, name)
        self.temperature = temperature
        self.threshold_selfsim = threshold_selfsim

    def more_terms(
        self,
        text: Float[Tensor, "batch dim"],
        motion: Float[Tensor, "batch dim"],
        sentences: Float[Tensor, "batch sdim"],
    ) -> dict[str, Float[Tensor, ""]]:
        """InfoNCE without negatives whose captions are nearly the same."""
        return {
            "contrastive": contrastive(
                text, motion, sentences, self.temperature, self.threshold_selfsim
            )
        }
