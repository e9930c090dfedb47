"""The terms of the TEMOS and TMR losses, each a pure function of tensors."""

from collections.abc import Collection, Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from tmr.errors import InputError
from tmr.model.gaussian import Gaussian


def weigh(
    terms: Mapping[str, Float[Tensor, ""]], weights: Mapping[str, float]
) -> Float[Tensor, ""]:
    """Weighted sum of the terms. Every term needs a weight, and every weight a term."""
    check_names(terms, weights)
    return torch.stack([weights[name] * term for name, term in terms.items()]).sum()


def check_names(terms: Collection[str], weights: Mapping[str, float]) -> None:
    """Nothing when terms and weights have the same names; InputError otherwise."""
    if set(terms) != set(weights):
        raise InputError(
            f"loss_weights has {', '.join(sorted(weights))}; "
            f"this model has the terms {', '.join(sorted(terms))}, each needs a weight"
        )


def reconstruction(
    decoded: Float[Tensor, "copies batch time feat"],
    motion: Float[Tensor, "batch time feat"],
    mask: Bool[Tensor, "batch time"],
) -> Float[Tensor, ""]:
    """SmoothL1 of each decoded copy of the motions, mean over all padded entries, summed.

    Padding counts as zero on both sides, so it adds to the count of entries alone (TEMOS, eq. 1).
    """
    real = mask[..., None]
    target = (motion * real).expand_as(decoded)
    return len(decoded) * F.smooth_l1_loss(decoded * real, target)


def kl(q: Gaussian, p: Gaussian) -> Float[Tensor, ""]:
    """KL(q | p) of diagonal Gaussians, mean over all entries.

    log(sigma_p / sigma_q) + (sigma_q^2 + (mu_q - mu_p)^2) / (2 sigma_p^2) - 1/2
    """
    spread = (q.logvar - p.logvar).exp()
    shift = (q.mu - p.mu).square() * (-p.logvar).exp()
    return ((spread + shift - 1 - q.logvar + p.logvar) / 2).mean()


def kl_terms(motion: Gaussian, text: Gaussian) -> Float[Tensor, ""]:
    """KL of text|motion, motion|text, motion|N(0, 1) and text|N(0, 1), summed (TEMOS, eq. 2)."""
    normal = Gaussian(torch.zeros_like(motion.mu), torch.zeros_like(motion.logvar))
    return kl(text, motion) + kl(motion, text) + kl(motion, normal) + kl(text, normal)


def same_caption(
    sentences: Float[Tensor, "batch sdim"], threshold: float
) -> Bool[Tensor, "batch batch"]:
    """Pairs of different items whose captions are close: score (1 + cosine) / 2 above threshold."""
    unit = F.normalize(sentences, dim=-1)
    close = (unit @ unit.mT + 1) / 2 > threshold
    return close & ~torch.eye(len(close), dtype=torch.bool, device=close.device)


def contrastive(
    text: Float[Tensor, "batch dim"],
    motion: Float[Tensor, "batch dim"],
    sentences: Float[Tensor, "batch sdim"],
    temperature: float,
    threshold_selfsim: float,
) -> Float[Tensor, ""]:
    """InfoNCE of cosine similarities / temperature, mean of both directions (TMR, section 3.2).

    Negatives with nearly the query's caption (see ``same_caption``) are left out. In float32
    also under autocast: at this temperature bfloat16 would lose the third digit.
    """
    with torch.autocast(text.device.type, enabled=False):
        cosine = F.normalize(text.float(), dim=-1) @ F.normalize(motion.float(), dim=-1).mT
        ignored = same_caption(sentences.float(), threshold_selfsim)
    logits = (cosine / temperature).masked_fill(ignored, -torch.inf)
    match = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, match) + F.cross_entropy(logits.mT, match)) / 2
