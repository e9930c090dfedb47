"""TMR without its decoder: two encoders, a contrastive loss, and a head that reads sides."""

from collections.abc import Mapping
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Generator, Tensor, nn

from tmr.model.actor import ActorEncoder
from tmr.model.distributed import SINGLE_PROCESS, ProcessGroup
from tmr.model.gaussian import Gaussian
from tmr.model.info_nce import ignored_negatives, info_nce
from tmr.model.losses import check_names, weigh
from tmr.model.sides import SideHead, side_loss
from tmr.model.temos import Step
from tmr.sequences import Packed, Padded

MAX_LOGIT_SCALE = 100.0  # the smallest learnt temperature is 1 / 100, as in CLIP


class Temperature(nn.Module):
    """The temperature of the contrastive loss: fixed, or learnt as its logarithm."""

    def __init__(self, start: float, learnt: bool) -> None:
        super().__init__()
        log_scale = torch.tensor(1 / start).log()
        self.log_scale = nn.Parameter(log_scale, requires_grad=learnt)

    def scale(self) -> Float[Tensor, ""]:
        """What cosines are multiplied by: one over the temperature."""
        return self.log_scale.exp().clamp(max=MAX_LOGIT_SCALE)


class DualEncoder(nn.Module):
    """Text and motion encoders, trained by ``contrastive`` and ``side``.

    ``temperature`` is that of the contrastive loss, or where it starts if ``learn_temperature``.
    ``side_aware`` keeps negatives whose captions differ in the sides they name (see
    ``ignored_negatives``), ``hardness`` weighs hard negatives (see ``info_nce``), and
    ``sample_latents`` draws latents in training, where the means are used otherwise.
    """

    terms: ClassVar[tuple[str, ...]] = ("contrastive", "side")
    parts: ClassVar[tuple[str, ...]] = (
        "motion_encoder",
        "text_encoder",
        "temperature",
        "side_head",
    )

    def __init__(
        self,
        motion_encoder: ActorEncoder,
        text_encoder: ActorEncoder,
        loss_weights: Mapping[str, float],
        temperature: float,
        learn_temperature: bool,
        threshold_selfsim: float,
        side_aware: bool,
        hardness: float,
        sample_latents: bool = False,
        name: str = "contrastive",
    ) -> None:
        super().__init__()
        check_names(self.terms, loss_weights)
        self.name = name
        self.motion_encoder = motion_encoder
        self.text_encoder = text_encoder
        self.temperature = Temperature(temperature, learn_temperature)
        self.side_head = SideHead(motion_encoder.tokens.shape[1])
        self.loss_weights = dict(loss_weights)
        self.threshold_selfsim = threshold_selfsim
        self.side_aware = side_aware
        self.hardness = hardness
        self.sample_latents = sample_latents

    def encode_motion(self, motion: Padded) -> Gaussian:
        """Gaussians of normalized motion features."""
        return self.motion_encoder(motion)

    def encode_text(self, tokens: Padded) -> Gaussian:
        """Gaussians of the token states of captions."""
        return self.text_encoder(tokens)

    def forward(
        self,
        motion: Padded,
        text: Padded,
        sentences: Float[Tensor, "batch sdim"],
        sides: Bool[Tensor, "batch sides"],
        generator: Generator | None = None,
        ranks: ProcessGroup = SINGLE_PROCESS,
    ) -> Step:
        """Losses and mean latents of a batch; ``sides`` are those its captions name."""
        from_motion = self.motion_encoder.encode_packed(Packed.of(motion))
        from_text = self.text_encoder.encode_packed(Packed.of(text))
        if self.training and self.sample_latents:
            latents = from_text.sample(generator), from_motion.sample(generator)
        else:
            latents = from_text.mu, from_motion.mu
        whole = ranks.gather(*latents, sentences.float(), sides.float())
        of_text, of_motion, sentences = (tensor.float() for tensor in whole[:3])
        sides = whole[3] > 0
        with torch.autocast(of_text.device.type, enabled=False):
            cosine = F.normalize(of_text, dim=-1) @ F.normalize(of_motion, dim=-1).mT
            compared = sides if self.side_aware else torch.zeros_like(sides)
            ignored = ignored_negatives(sentences, compared, self.threshold_selfsim)
            terms = {
                "contrastive": info_nce(cosine * self.temperature.scale(), ignored, self.hardness),
                "side": side_loss(self.side_head(of_text), self.side_head(of_motion), sides),
            }
        losses = {**terms, "loss": weigh(terms, self.loss_weights)}
        return Step(losses, from_motion.mu, from_text.mu)
