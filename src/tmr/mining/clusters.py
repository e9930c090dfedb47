"""Clusters of latents, and the words that tell their captions apart."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from tmr.errors import InputError

_COMMON = {
    *("a", "an", "and", "at", "by", "for", "from", "his", "her", "in", "is", "it", "of", "on"),
    *("person", "man", "woman", "someone", "figure", "or", "the", "their", "then", "to", "with"),
}


@dataclass(frozen=True, slots=True)
class Clusters:
    """The cluster of each item, largest cluster first, and the cosine with its mean."""

    members: Int[Tensor, " n"]
    cosines: Float[Tensor, " n"]
    count: int

    def items(self, cluster: int) -> list[int]:
        """The items of a cluster, from the most central one out."""
        rows = (self.members == cluster).nonzero()[:, 0]
        return rows[self.cosines[rows].argsort(descending=True, stable=True)].tolist()


def k_means(latents: Float[Tensor, "n dim"], count: int, seed: int = 0) -> Clusters:
    """``count`` clusters of latents of length 1, or as many as there are different latents.

    Raises:
        InputError: fewer items than clusters, or no cluster.
    """
    from sklearn.cluster import KMeans  # noqa: PLC0415  takes a second

    if not 1 <= count <= len(latents):
        raise InputError(f"found clusters={count} for {len(latents)} motions; expected 1 or more")
    count = min(count, len(latents.unique(dim=0)))
    found = torch.from_numpy(KMeans(count, random_state=seed).fit_predict(latents.numpy())).long()
    largest = torch.bincount(found, minlength=count).argsort(descending=True, stable=True)
    members = largest.argsort()[found]
    sums = torch.zeros(count, latents.shape[1]).index_add(0, members, latents)
    cosines = (latents * F.normalize(sums, dim=-1)[members]).sum(dim=1)
    return Clusters(members, cosines, count)


def distinctive_words(groups: Sequence[Sequence[str]], most: int = 6) -> list[list[str]]:
    """The words of each group's captions that are frequent there and rare elsewhere.

    Ranked by (captions of the group with the word) * log(groups / groups with the word), the
    latter counting groups in which at least a tenth as many captions have it.
    """
    shares = []
    for captions in groups:
        words = Counter(w for c in captions for w in set(re.findall(r"[a-z']+", c.lower())))
        total = max(len(captions), 1)
        shares.append({w: n / total for w, n in words.items() if w not in _COMMON})
    found = []
    for share in shares:
        weights = {
            word: value
            * math.log((len(groups) + 1) / sum(s.get(word, 0) >= value / 10 for s in shares))
            for word, value in share.items()
        }
        found.append(sorted(weights, key=lambda word: (-weights[word], word))[:most])
    return found
