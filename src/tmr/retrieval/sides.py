"""Whether a model tells left from right: motions against their mirror images."""

from collections.abc import Container
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from tmr.data.releases.layout import mirrored_key
from tmr.retrieval.bootstrap import RESAMPLES, Interval, with_intervals
from tmr.retrieval.metrics import TIE_TOLERANCE
from tmr.retrieval.protocols import Encoded, Texts
from tmr.text.left_right import swap_sides


@dataclass(frozen=True, slots=True)
class Sides:
    """Preferences of texts that name a side, and of their motions; one row each.

    ``t2m`` is 1 where a text prefers its own motion to the mirror image of it, ``m2t`` where a
    motion prefers its own text to the text with sides swapped, and a half where it has none.
    Texts of one recording, or of its mirror image, are of one of the ``groups``.
    """

    t2m: Float[Tensor, " pairs"]
    m2t: Float[Tensor, " pairs"]
    groups: Int[Tensor, " pairs"]

    def __len__(self) -> int:
        """Number of texts."""
        return len(self.t2m)

    def figures(self) -> dict[str, float]:
        """``sides/t2m`` and ``sides/m2t`` in percent; nothing without a pair."""
        if not len(self):
            return {}
        shares = {"sides/t2m": self.t2m, "sides/m2t": self.m2t}
        return {name: 100 * float(share.mean()) for name, share in shares.items()}

    def intervals(self, resamples: int = RESAMPLES) -> dict[str, Interval]:
        """``figures`` with bootstrap intervals over recordings."""
        if not len(self):
            return {}
        values = 100 * torch.stack([self.t2m, self.m2t], dim=1).double()
        found = with_intervals(values.numpy(), self.groups.numpy(), resamples=resamples)
        return dict(zip(("sides/t2m", "sides/m2t"), found, strict=True))


def side_preferences(encoded: Encoded) -> Sides:
    """How texts that name a side, and their motions, choose between a motion and its mirror image.

    A pair is a text of a motion and the same text with sides swapped, of the mirrored motion, where
    both are in the split. All encoded captions are asked, not the first ones alone.
    """
    texts = encoded.first_texts() if encoded.others is None else encoded.all_texts()
    row_of = {key: row for row, key in enumerate(encoded.keys)}
    asked = list(zip(texts.owners.tolist(), texts.captions, strict=True))
    text_of = {pair: i for i, pair in enumerate(asked)}
    own, other, motion, mirror = [], [], [], []
    for i, (owner, caption) in enumerate(asked):
        swapped = swap_sides(caption)
        image = row_of.get(image_key(encoded.keys[owner], row_of))
        if swapped == caption or image is None or (image, swapped) not in text_of:
            continue
        own.append(i)
        other.append(text_of[image, swapped])
        motion.append(owner)
        mirror.append(image)
    return preferences(texts, encoded.motion, own, other, motion, mirror)


def preferences(
    texts: Texts,
    motions: Float[Tensor, "n dim"],
    own: list[int],
    other: list[int],
    motion: list[int],
    mirror: list[int],
) -> Sides:
    """Preferences from rows of texts and motions: a pair's own and those of the mirror image."""
    text = F.normalize(texts.text, dim=-1)
    latent = F.normalize(motions, dim=-1)
    right = (text[own] * latent[motion]).sum(dim=1)
    return Sides(
        t2m=preferred(right - (text[own] * latent[mirror]).sum(dim=1)),
        m2t=preferred(right - (text[other] * latent[motion]).sum(dim=1)),
        groups=torch.tensor(
            [min(pair) for pair in zip(motion, mirror, strict=True)], dtype=torch.long
        ),
    )


def preferred(advantage: Float[Tensor, " pairs"]) -> Float[Tensor, " pairs"]:
    """1 where positive, 0 where negative, a half within the tolerance of rounding."""
    return (advantage.sign() * (advantage.abs() > TIE_TOLERANCE) + 1) / 2


def image_key(key: str, known: Container[str]) -> str:
    """The key of the mirrored motion, or of the one that a mirrored motion is the image of."""
    if key.startswith("M") and key[1:] in known:
        return key[1:]
    return mirrored_key(key)
