"""InfoNCE between texts and motions: which negatives count, and how much."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from tmr.model.losses import same_caption


def ignored_negatives(
    sentences: Float[Tensor, "batch sdim"], sides: Bool[Tensor, "batch sides"], threshold: float
) -> Bool[Tensor, "batch batch"]:
    """Pairs whose captions are nearly the same and name the same sides.

    Language models hardly see which side a caption names: with the sides swapped it scores above
    0.96. So the score alone would drop the very negatives that teach left from right.
    """
    same_sides = (sides[:, None] == sides[None]).all(dim=-1)
    return same_caption(sentences, threshold) & same_sides


def info_nce(
    logits: Float[Tensor, "batch batch"],
    ignored: Bool[Tensor, "batch batch"],
    hardness: float = 0.0,
) -> Float[Tensor, ""]:
    """InfoNCE of similarities / temperature (diagonal: positives), mean of both directions.

    Each negative j of query i counts n exp(hardness s_ij) / sum_k exp(hardness s_ik) times in the
    denominator, the sum over the n negatives that are not ignored: hard ones more, on average one
    (HN-NCE, Radenovic et al., CVPR 2023; after Robinson et al., ICLR 2021). A hardness of 0 is
    plain InfoNCE.
    """
    match = torch.arange(len(logits), device=logits.device)
    directions = (weighted(logits, ignored, hardness), weighted(logits.mT, ignored.mT, hardness))
    return torch.stack([F.cross_entropy(direction, match) for direction in directions]).mean()


def weighted(
    logits: Float[Tensor, "batch batch"], ignored: Bool[Tensor, "batch batch"], hardness: float
) -> Float[Tensor, "batch batch"]:
    """Logits with the logarithm of their negatives' weights added; -inf where ignored."""
    logits = logits.masked_fill(ignored, -torch.inf)
    if hardness == 0:
        return logits
    positive = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    count = (~(ignored | positive)).sum(dim=1, keepdim=True)
    hard = hardness * logits.masked_fill(positive, -torch.inf)
    # A row without negatives has no weights: its sum is empty, and only its positive is left.
    shift = count.clamp(min=1).to(hard.dtype).log() - hard.logsumexp(dim=1, keepdim=True)
    weight = torch.where(positive | ignored | (count == 0), 0.0, hardness * logits + shift)
    return logits + weight
