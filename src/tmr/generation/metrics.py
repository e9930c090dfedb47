"""How good generated motions are, as pure functions of latents of an evaluator such as TMR.

The evaluator is trained on cosines, which the length of a latent does not change. So every
function scales latents to length 1, and the distance of two is sqrt(2 - 2 cosine), at most 2.

Where the papers draw pairs or batches at random, these functions return the expected value over
all draws: it is what the drawn figures scatter around, and it needs no seed.
"""

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float64
from torch import Tensor

from tmr.errors import InputError
from tmr.retrieval.metrics import TIE_TOLERANCE, cosine_similarity, place, shown_score

BATCH = 32
TOP = (1, 2, 3)
_ROWS = 1024  # of a distance matrix at a time


def evaluate(
    texts: Float[Tensor, "texts dim"],
    generated: Float[Tensor, "generated generations dim"],
    reference: Float[Tensor, "reference dim"],
) -> dict[str, float]:
    """Every figure of generated motions, by name, from latents.

    Row i of each belongs to text i; ``reference`` are the real motions. Figures of motions and
    their texts are means over all generations; ``fid`` is the mean of the distances of each
    generation, because it depends on the number of motions.

    Raises:
        InputError: fewer than 32 texts, or latents that do not belong together.
    """
    if len({len(texts), len(generated), len(reference)}) > 1:
        raise InputError(
            f"found {len(texts)} texts, {len(generated)} generated and {len(reference)} reference "
            "motions; expected as many of each, in the same order"
        )
    runs = generated.unbind(dim=1)
    precision = np.mean([r_precision(texts, motions) for motions in runs], axis=0)
    figures = {f"r_precision_{k}": float(p) for k, p in zip(TOP, precision, strict=True)}
    figures |= {
        "matching_score": _mean([matching_score(texts, motions) for motions in runs]),
        "fid": _mean([frechet_distance(motions, reference) for motions in runs]),
        "diversity": diversity(generated),
        "text_score": _mean([mean_score(texts, motions) for motions in runs]),
        "motion_score": _mean([mean_score(reference, motions) for motions in runs]),
    }
    if len(runs) > 1:
        figures["multimodality"] = multimodality(generated)
    return figures


def r_precision(
    texts: Float[Tensor, "n dim"], motions: Float[Tensor, "n dim"], batch: int = BATCH
) -> list[float]:
    """Share of motions that find their own text among the nearest 1, 2 and 3 of a batch.

    R@k = mean_i P(|{j in B : d(m_i, t_j) < d(m_i, t_i)}| < k), where B are ``batch`` - 1 other
    texts, and equal distances are ordered at random. Of n - 1 other texts a nearer ones make this
    the probability of fewer than k in a hypergeometric draw. Guo et al. (CVPR 2022)
    draw one B for each motion; this is the mean over all B, so nothing is left over either.

    Raises:
        InputError: fewer texts than a batch.
    """
    if len(texts) < batch:
        raise InputError(f"R-precision is measured in batches of {batch}; found {len(texts)} texts")
    found = place(cosine_similarity(motions, texts), tolerance=TIE_TOLERANCE)
    nearer, tied = found.better.numpy(force=True), found.tied.numpy(force=True)
    return [float(_mean_hit(nearer, tied, len(texts), batch, k).mean()) for k in TOP]


def _mean_hit(nearer: np.ndarray, tied: np.ndarray, count: int, batch: int, k: int) -> np.ndarray:
    """Probability of fewer than ``k`` nearer texts, averaged over the orders of ``tied`` ones."""
    from scipy.stats import hypergeom  # noqa: PLC0415  takes a second

    hit = hypergeom.cdf(k - 1, count - 1, np.arange(count), batch - 1)
    sums = np.concatenate([[0.0], np.cumsum(hit)])
    return (sums[nearer + tied] - sums[nearer]) / tied


def matching_score(texts: Float[Tensor, "n dim"], motions: Float[Tensor, "n dim"]) -> float:
    """Mean distance of a motion and its text, less is better: also called MM-distance.

    mean_i |t_i - m_i|. Source: Guo et al. (CVPR 2022).
    """
    return float((_unit(texts) - _unit(motions)).norm(dim=-1).mean())


def mean_score(first: Float[Tensor, "n dim"], second: Float[Tensor, "n dim"]) -> float:
    """Mean score of pairs, between 0 and 1, more is better.

    mean_i (1 + cos(a_i, b_i)) / 2: the TMR text score for texts and motions, the TMR motion score
    for real and generated motions. Source: TMR (ICCV 2023) for the score of a pair; Petrovich et
    al., "Multi-Track Timeline Control for Text-Driven 3D Human Motion Generation" (2024), for
    its use on generated motions.
    """
    return float(shown_score((_unit(first) * _unit(second)).sum(dim=-1)).mean())


def frechet_distance(first: Float[Tensor, "n dim"], second: Float[Tensor, "m dim"]) -> float:
    """Distance of two sets of motions as Gaussians, known as FID: 0 for the same set.

    |mu_1 - mu_2|^2 + tr(S_1 + S_2 - 2 (S_1 S_2)^(1/2)) with means mu and covariances S.
    Source: Heusel et al. (NeurIPS 2017); on motion latents Guo et al. (CVPR 2022).
    Between two samples of one distribution it is above 0, the more so the fewer motions there
    are: compare figures of equal numbers only.

    Raises:
        InputError: a set of one motion, which has no covariance.
    """
    if min(len(first), len(second)) < 2:
        raise InputError("FID compares sets of motions: expected at least two in each")
    first, second = _unit(first), _unit(second)
    # With S = A^T A the trace of the root is the sum of the singular values of A B^T: no root of
    # rounding errors is taken, and covariances of few motions need no regularisation.
    a, b = _root_of_covariance(first), _root_of_covariance(second)
    spread = a.square().sum() + b.square().sum() - 2 * torch.linalg.svdvals(a @ b.mT).sum()
    shift = (first.mean(dim=0) - second.mean(dim=0)).square().sum()
    return max(0.0, float(shift + spread))


def _root_of_covariance(x: Float64[Tensor, "n dim"]) -> Float64[Tensor, "k dim"]:
    return torch.linalg.qr((x - x.mean(dim=0)) / (len(x) - 1) ** 0.5).R


def diversity(generated: Float[Tensor, "texts generations dim"]) -> float:
    """Mean distance of two motions of different texts; that of real motions is the aim.

    mean_{i != j} |m_i - m_j|. Guo et al. (CVPR 2022) draw 300 pairs; these are all.

    Raises:
        InputError: one text.
    """
    texts, generations, _ = generated.shape
    if texts < 2:
        raise InputError("diversity compares motions of different texts: expected at least two")
    motions = _unit(generated).flatten(0, 1)
    total = torch.stack([torch.cdist(rows, motions).sum() for rows in motions.split(_ROWS)]).sum()
    pairs = texts * (texts - 1) * generations**2
    return float((total - _within(generated)) / pairs)


def multimodality(generated: Float[Tensor, "texts generations dim"]) -> float:
    """Mean distance of two motions of the same text: how different one text's motions are.

    mean_i mean_{a != b} |m_ia - m_ib|. Guo et al. (CVPR 2022) draw 10 pairs a text;
    these are all.

    Raises:
        InputError: one generation for each text.
    """
    texts, generations, _ = generated.shape
    if generations < 2:
        raise InputError("multimodality needs at least two motions for each text; found one")
    return float(_within(generated) / (texts * generations * (generations - 1)))


def _within(generated: Float[Tensor, "texts generations dim"]) -> Float64[Tensor, ""]:
    motions = _unit(generated)
    return torch.cdist(motions, motions, compute_mode="donot_use_mm_for_euclid_dist").sum()


def _unit(latents: Float[Tensor, "*n dim"]) -> Float64[Tensor, "*n dim"]:
    return F.normalize(latents.double(), dim=-1)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
