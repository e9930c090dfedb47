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

_ROUNDS = 100  # at most; it stops when nothing moves
_COMMON = {
    *("a", "an", "and", "at", "by", "for", "from", "his", "her", "in", "is", "it", "of", "on"),
    *("person", "man", "woman", "someone", "figure", "or", "the", "their", "then", "to", "with"),
}


@dataclass(frozen=True, slots=True)
class Clusters:
    """The cluster of each item, largest cluster first, and the cosine with its center."""

    members: Int[Tensor, " n"]
    centers: Float[Tensor, "clusters dim"]
    cosines: Float[Tensor, " n"]

    def items(self, cluster: int) -> list[int]:
        """The items of a cluster, from the most central one out."""
        rows = (self.members == cluster).nonzero()[:, 0]
        return rows[self.cosines[rows].argsort(descending=True, stable=True)].tolist()


def spherical_k_means(latents: Float[Tensor, "n dim"], count: int, seed: int = 0) -> Clusters:
    """``count`` clusters by cosine of latents of length 1 (Dhillon and Modha, 2001).

    Centers start at items far apart from each other (k-means++ with 1 - cosine) and move to the
    mean direction of their items until none changes its cluster.

    Raises:
        InputError: fewer items than clusters, or no cluster.
    """
    if not 1 <= count <= len(latents):
        raise InputError(f"found clusters={count} for {len(latents)} motions; expected 1 or more")
    centers = _far_apart(latents, count, torch.Generator().manual_seed(seed))
    members = torch.full((len(latents),), -1)
    for _ in range(_ROUNDS):
        nearest = (latents @ centers.mT).argmax(dim=1)
        if bool((nearest == members).all()):
            break
        members = nearest
        sums = torch.zeros_like(centers).index_add(0, members, latents)
        filled = torch.bincount(members, minlength=count) > 0
        centers = torch.where(filled[:, None], F.normalize(sums, dim=-1), centers)
    order = torch.bincount(members, minlength=count).argsort(descending=True, stable=True)
    place = order.argsort()
    members, centers = place[members], centers[order]
    return Clusters(members, centers, (latents * centers[members]).sum(dim=1))


def _far_apart(
    latents: Float[Tensor, "n dim"], count: int, generator: torch.Generator
) -> Float[Tensor, "count dim"]:
    chosen = [int(torch.randint(len(latents), (), generator=generator))]
    distance = 1 - latents @ latents[chosen[0]]
    while len(chosen) < count:
        weights = distance.clamp(min=1e-9)
        chosen.append(int(torch.multinomial(weights, 1, generator=generator)))
        distance = torch.minimum(distance, 1 - latents @ latents[chosen[-1]])
    return latents[chosen]


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
