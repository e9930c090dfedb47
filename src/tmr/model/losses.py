"""The terms of the TEMOS and TMR losses, each a pure function of tensors."""

from collections.abc import Collection, Mapping

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor

from tmr.errors import InputError
from tmr.model.gaussian import Gaussian
from tmr.model.sides import mirrored_sides


def weigh(
    terms: Mapping[str, Float[Tensor, ""]], weights: Mapping[str, float | int]
) -> dict[str, Float[Tensor, ""]]:
    """The terms whose weight is not 0, and their weighted sum as ``loss``."""
    assert {name for name, weight in weights.items() if weight} <= terms.keys() <= weights.keys()
    weighted = {name: weights[name] * term for name, term in terms.items() if weights[name]}
    return {name: terms[name] for name in weighted} | {
        "loss": torch.stack(list(weighted.values())).sum()
    }


def check_names(terms: Collection[str], weights: Mapping[str, float | int]) -> None:
    """Nothing when terms and weights have the same names; InputError otherwise."""
    if set(terms) != set(weights):
        raise InputError(
            f"loss_weights has {', '.join(sorted(weights))}; "
            f"this model has the terms {', '.join(sorted(terms))}, each needs a weight "
            "(0 leaves it out)"
        )
    if not any(weights.values()):
        raise InputError("every weight of loss_weights is 0: nothing would be learned")


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
    close = _close(sentences, threshold)
    return close & ~torch.eye(len(close), dtype=torch.bool, device=close.device)


def _close(sentences: Float[Tensor, "batch sdim"], threshold: float) -> Bool[Tensor, "batch batch"]:
    unit = F.normalize(sentences, dim=-1)
    return (unit @ unit.mT + 1) / 2 > threshold


def ignored_negatives(
    sentences: Float[Tensor, "batch sdim"], sides: Bool[Tensor, "batch sides"], threshold: float
) -> Bool[Tensor, "batch batch"]:
    """Pairs whose captions are nearly the same and name the same sides.

    Language models hardly see which side a caption names: with the sides swapped it scores above
    0.96. So the score alone would drop the very negatives that teach left from right.
    """
    same_sides = (sides[:, None] == sides[None]).all(dim=-1)
    return same_caption(sentences, threshold) & same_sides


def ignored_images(
    sentences: Float[Tensor, "batch sdim"], sides: Bool[Tensor, "batch sides"], threshold: float
) -> Bool[Tensor, "batch batch"]:
    """Pairs of a caption and the mirror image of a motion whose own caption, with its sides
    swapped, is nearly the same and names the same sides; its own motion's among them."""
    same_sides = (sides[:, None] == mirrored_sides(sides)[None]).all(dim=-1)
    return _close(sentences, threshold) & same_sides


def contrastive(
    text: Float[Tensor, "batch dim"],
    motion: Float[Tensor, "candidates dim"],
    ignored: Bool[Tensor, "batch candidates"],
    temperature: float | Float[Tensor, ""],
    hardness: float = 0.0,
) -> Float[Tensor, ""]:
    """``info_nce`` of cosine similarities / temperature (TMR, section 3.2).

    In float32 also under autocast: at this temperature bfloat16 would lose the third digit.
    """
    with torch.autocast(text.device.type, enabled=False):
        cosine = F.normalize(text.float(), dim=-1) @ F.normalize(motion.float(), dim=-1).mT
    return info_nce(cosine / temperature, ignored, hardness)


def info_nce(
    logits: Float[Tensor, "batch candidates"],
    ignored: Bool[Tensor, "batch candidates"],
    hardness: float = 0.0,
) -> Float[Tensor, ""]:
    """InfoNCE of similarities / temperature (diagonal: positives), mean of both directions.

    The columns are the batch, or several blocks of it of which the first has the positives; each
    block is transposed for the other direction.

    Each negative j of query i counts n exp(hardness s_ij) / sum_k exp(hardness s_ik) times in the
    denominator, the sum over the n negatives that are not ignored: hard ones more, on average one
    (HN-NCE, Radenovic et al., CVPR 2023; after Robinson et al., ICLR 2021). A hardness of 0 is
    plain InfoNCE.
    """
    match = torch.arange(len(logits), device=logits.device)
    back, ignored_back = (
        rearrange(some, "query (block item) -> item (block query)", item=len(logits))
        for some in (logits, ignored)
    )
    directions = (
        weighted(logits, ignored, hardness),
        weighted(back, ignored_back, hardness),
    )
    return torch.stack([F.cross_entropy(direction, match) for direction in directions]).mean()


def weighted(
    logits: Float[Tensor, "batch candidates"],
    ignored: Bool[Tensor, "batch candidates"],
    hardness: float,
) -> Float[Tensor, "batch candidates"]:
    """Logits with the logarithm of their negatives' weights added; -inf where ignored."""
    logits = logits.masked_fill(ignored, -torch.inf)
    if hardness == 0:
        return logits
    positive = torch.eye(*logits.shape, dtype=torch.bool, device=logits.device)
    count = (~(ignored | positive)).sum(dim=1, keepdim=True)
    hard = hardness * logits.masked_fill(positive, -torch.inf)
    # A row without negatives has no weights: its sum is empty, and only its positive is left.
    shift = count.clamp(min=1).to(hard.dtype).log() - hard.logsumexp(dim=1, keepdim=True)
    weight = torch.where(positive | ignored | (count == 0), 0.0, hardness * logits + shift)
    return logits + weight
