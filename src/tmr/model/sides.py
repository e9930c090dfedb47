"""Left and right as a term of the loss: what the sides named in a caption are read from.

With mirrored copies in the training set, a model blind to sides is a saddle point of contrastive
losses: every caption's sides are right for as many motions as they are wrong. A classifier of
sides on the latents has no such point.
"""

import torch.nn.functional as F
from einops import rearrange, repeat
from jaxtyping import Bool, Float
from torch import Tensor, nn

LATENT_SCALE = 8.0  # of unit latents, so that a linear layer reaches sure answers
NUM_SIDES = 8  # of ``tmr.text.left_right.SIDES``, in pairs: one, and what the mirror image has
NUM_UNORDERED = 4  # the first of these, which do not tell what is named first and last


class SideHead(nn.Module):
    """Logits of the sides that a caption names, for latents of texts and motions."""

    def __init__(self, latent_dim: int, num_sides: int = NUM_SIDES) -> None:
        super().__init__()
        self.linear = nn.Linear(latent_dim, num_sides)

    def forward(self, latents: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch sides"]:
        """Logits, of unit latents times ``LATENT_SCALE``."""
        return self.linear(LATENT_SCALE * F.normalize(latents.float(), dim=-1))


def counted(sides: Bool[Tensor, "batch sides"]) -> Bool[Tensor, "batch sides"]:
    """Which bits of a caption say something: those of a pair of which it names at least one.

    A caption that names no side says nothing of the sides of its motion.
    """
    pairs = rearrange(sides, "batch (pairs two) -> batch pairs two", two=2)
    return repeat(pairs.any(dim=-1), "batch pairs -> batch (pairs two)", two=2)


def mirrored_sides(sides: Bool[Tensor, "batch sides"]) -> Bool[Tensor, "batch sides"]:
    """The bits of the captions with their sides swapped: the two of each pair exchanged."""
    return rearrange(sides, "batch (pairs two) -> batch pairs two", two=2).flip(-1).flatten(1)


def side_loss(
    text: Float[Tensor, "batch sides"],
    motion: Float[Tensor, "batch sides"],
    sides: Bool[Tensor, "batch sides"],
) -> Float[Tensor, ""]:
    """Binary cross-entropy of the bits that count, mean over these, of text plus motion.

    ``text`` and ``motion`` are logits. Zero where no caption names a side.
    """
    weight = counted(sides).float()
    target = sides.float()
    total = sum(
        (weight * F.binary_cross_entropy_with_logits(logits, target, reduction="none")).sum()
        for logits in (text, motion)
    )
    return total / weight.sum().clamp(min=1)
