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
    reference: Float[Tensor, "reference dim"] | None = None,
    batch: int = BATCH,
) -> dict[str, float]:
    """Every metric of generated motions, by name, from latents.

    Row i of each belongs to text i; ``reference`` are the real motions, if there are any. Metrics
    of motions and their texts are means over all generations; ``fid`` is the mean of the distances
    of each generation, because it depends on the number of motions.

    Raises:
        InputError: fewer than ``batch`` texts, or latents that do not belong together.
    """
    if len({len(texts), len(generated), len(texts if reference is None else reference)}) > 1:
        real = "no" if reference is None else len(reference)
        raise InputError(
            f"found {len(texts)} texts, {len(generated)} generated and {real} reference "
            "motions; expected as many of each, in the same order"
        )
    runs = generated.unbind(dim=1)
    rows = [of_pairs(texts, motions, reference, batch) for motions in runs]
    found = {name: _mean([row[name] for row in rows]) for name in rows[0]}
    found["diversity"] = diversity(generated)
    if len(runs) > 1:
        found["multimodality"] = multimodality(generated)
    return found


def of_pairs(
    texts: Float[Tensor, "n dim"],
    motions: Float[Tensor, "n dim"],
    reference: Float[Tensor, "n dim"] | None = None,
    batch: int = BATCH,
) -> dict[str, float]:
    """The metrics of one generated motion for each text.

    R-precision in batches of ``batch`` texts (``r_precision_k``) and against all texts
    (``r_precision_all_k``), ``matching_score`` and ``text_score``; with real motions ``fid`` (on
    unit latents), ``fid_unscaled`` (the published convention) and ``motion_score``.

    Raises:
        InputError: fewer texts than a batch.
    """
    in_batches, in_all = r_precision(texts, motions, batch), r_precision(texts, motions, None)
    found = {f"r_precision_{k}": p for k, p in zip(TOP, in_batches, strict=True)}
    found |= {f"r_precision_all_{k}": p for k, p in zip(TOP, in_all, strict=True)}
    found["matching_score"] = matching_score(texts, motions)
    found["text_score"] = mean_score(texts, motions)
    if reference is not None:
        found["fid"] = frechet_distance(motions, reference)
        found["fid_unscaled"] = frechet_distance(motions, reference, unit=False)
        found["motion_score"] = mean_score(reference, motions)
    return found


def of_samples(
    texts: Float[Tensor, "n dim"],
    motions: Float[Tensor, "n dim"],
    reference: Float[Tensor, "n dim"] | None = None,
) -> dict[str, Float[np.ndarray, " n"]]:
    """The scores of each generated motion, whose means are the metrics of `of_pairs`.

    ``text_rank`` is the number of texts that are nearer to a motion than its own, of all; equal
    ones count half.
    """
    t, m = _unit(texts), _unit(motions)
    found = place(cosine_similarity(motions, texts), tolerance=TIE_TOLERANCE)
    scores = {
        "matching_score": (t - m).norm(dim=-1),
        "text_score": shown_score((t * m).sum(dim=-1)),
        "text_rank": found.better + (found.tied - 1) / 2,
    }
    if reference is not None:
        scores["motion_score"] = shown_score((_unit(reference) * m).sum(dim=-1))
    return {name: score.double().numpy(force=True) for name, score in scores.items()}


def r_precision(
    texts: Float[Tensor, "n dim"], motions: Float[Tensor, "n dim"], batch: int | None = BATCH
) -> list[float]:
    """Share of motions that find their own text among the nearest 1, 2 and 3 of a batch.

    R@k = mean_i P(|{j in B : d(m_i, t_j) < d(m_i, t_i)}| < k), where B are ``batch`` - 1 other
    texts, and equal distances are ordered at random. Of n - 1 other texts a nearer ones make this
    the probability of fewer than k in a hypergeometric draw. Guo et al. (CVPR 2022)
    draw one B for each motion; this is the mean over all B, so nothing is left over either.
    With ``batch`` None, B are all texts.

    Raises:
        InputError: fewer texts than a batch.
    """
    batch = len(texts) if batch is None else batch
    if not 1 <= batch <= len(texts):
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


def frechet_distance(
    first: Float[Tensor, "n dim"], second: Float[Tensor, "m dim"], unit: bool = True
) -> float:
    """Distance of two sets of motions as Gaussians, known as FID: 0 for the same set.

    |mu_1 - mu_2|^2 + tr(S_1 + S_2 - 2 (S_1 S_2)^(1/2)) with means mu and covariances S.
    Source: Heusel et al. (NeurIPS 2017); on motion latents Guo et al. (CVPR 2022).
    On latents of length 1, or with ``unit`` False on latents as they are, which is the published
    convention: its scale is that of the evaluator's latents.
    Between two samples of one distribution it is above 0, the more so the fewer motions there
    are: compare figures of equal numbers only.

    Raises:
        InputError: a set of one motion, which has no covariance.
    """
    if min(len(first), len(second)) < 2:
        raise InputError("FID compares sets of motions: expected at least two in each")
    scale = _unit if unit else Tensor.double
    first, second = scale(first), scale(second)
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
