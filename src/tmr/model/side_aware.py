"""TMR that is also told which sides its captions name."""

from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor

from tmr.model.sides import SideHead, side_loss
from tmr.model.temos import LatentBatch
from tmr.model.tmr import TMR


class SideAwareTMR(TMR):
    """TMR plus the term ``side``: the sides that captions name, read from latents by a head."""

    terms: ClassVar[tuple[str, ...]] = (*TMR.terms, "side")

    def __init__(self, *, name: str = "side_aware_tmr", **options: Any) -> None:
        super().__init__(name=name, **options)
        self.side_head = SideHead(self.motion_encoder.latent_dim, self.side_bits)

    def latent_terms(self, batch: LatentBatch) -> dict[str, Float[Tensor, ""]]:
        """Those of TMR, and the cross-entropy of the sides."""
        of_text = self.side_head(batch.text_latents)
        of_motion = self.side_head(batch.motion_latents)
        return super().latent_terms(batch) | {
            "side": side_loss(of_text, of_motion, self.sides_of(batch))
        }
