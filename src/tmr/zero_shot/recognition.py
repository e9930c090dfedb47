"""Labels ranked for each motion, and how often the right one comes first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from tmr.retrieval import cosine_similarity

TOPS = (1, 5)


def label_probabilities(
    motions: Float[Tensor, "motions dim"],
    prompts: Sequence[Sequence[Float[Tensor, "_ dim"]]],
    temperature: float,
) -> Float[np.ndarray, "motions labels"]:
    """The probability of each label for each motion, given the latents of each label's prompts.

    Prompts of one template say the same in other words: the mean of their unit latents stands for
    them, as in CLIP (Radford et al., ICML 2021). Templates are different cases: with the model's
    likelihood exp(cosine / t), t the temperature of its contrastive loss, a label is the mean over
    its templates and all labels are equally likely beforehand: p(label | motion) is proportional
    to mean_templates exp(cosine / t).
    """
    logits = []
    for label in prompts:
        cases = torch.stack([F.normalize(some, dim=-1).mean(dim=0) for some in label])
        cosines = cosine_similarity(motions, cases)
        logits.append(torch.logsumexp(cosines / temperature, dim=1) - np.log(len(cases)))
    return torch.stack(logits, dim=1).softmax(dim=1).numpy()


@dataclass(frozen=True, slots=True)
class Recognition:
    """What was recognized. A prediction is a hit when it is any of the motion's true labels.

    ``hits`` has a column for each of ``TOPS``. ``per_label`` is the share of motions with a label
    whose first prediction is a hit, NaN where no motion has it. Rows of ``confusion`` are true
    labels, columns first predictions, in motions; a miss counts in parts for each true label.
    """

    hits: Bool[np.ndarray, "motions tops"]
    per_label: Float[np.ndarray, " labels"]
    confusion: Float[np.ndarray, "labels labels"]

    @property
    def mean_per_label(self) -> float:
        """Mean of ``per_label`` over the labels that occur (BABEL's Top-1-norm)."""
        return float(np.nanmean(self.per_label))


def evaluate_recognition(
    probabilities: Float[np.ndarray, "motions labels"], truths: Bool[np.ndarray, "motions labels"]
) -> Recognition:
    """The recognition of motions whose true labels, at least one each, are known."""
    order = np.argsort(-probabilities, axis=1, kind="stable")
    ranked = np.take_along_axis(truths, order, axis=1)
    hits = np.stack([ranked[:, :top].any(axis=1) for top in TOPS], axis=1)
    first, right = order[:, 0], hits[:, 0]
    counts = truths.sum(axis=0)
    with np.errstate(invalid="ignore"):
        per_label = (truths & right[:, None]).sum(axis=0) / counts
    confusion = np.zeros((truths.shape[1],) * 2)
    np.add.at(confusion, (first[right], first[right]), 1.0)
    for motion in np.flatnonzero(~right):
        confusion[truths[motion], first[motion]] += 1 / truths[motion].sum()
    return Recognition(hits, per_label, confusion)


def truth_table(
    truths: Sequence[frozenset[str]], labels: Sequence[str]
) -> Bool[np.ndarray, "motions labels"]:
    """Which labels each motion has."""
    return np.array([[label in some for label in labels] for some in truths])


def summary(figures: Mapping[str, str], labels: Sequence[str], recognition: Recognition) -> str:
    """Figures, then each label with its share of hits and what it was taken for most often."""
    width = max(map(len, [*labels, *figures])) + 2
    lines = [f"{name:<{width}}{value}" for name, value in figures.items()]
    for i in np.argsort(-np.nan_to_num(recognition.per_label, nan=-1.0), kind="stable"):
        row = recognition.confusion[i]
        if not row.any() and np.isnan(recognition.per_label[i]):
            continue
        wrong = row.copy()
        wrong[i] = 0
        taken = f"  taken for {labels[int(wrong.argmax())]}" if wrong.any() else ""
        lines.append(f"{labels[i]:<{width}}{100 * recognition.per_label[i]:6.2f}{taken}")
    return "\n".join(lines)
