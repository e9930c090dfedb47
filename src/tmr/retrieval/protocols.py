"""The four protocols of the TMR paper (section 4.1), as records over one encoded split."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tmr.errors import InputError
from tmr.retrieval.metrics import both_ways, cosine_similarity, shown_score

GUO_SEED = 0


@dataclass(frozen=True, slots=True)
class Encoded:
    """Latents and sentence vectors of the samples of a split, in the order of ``keys``."""

    keys: tuple[str, ...]
    captions: tuple[str, ...]
    text: Float[Tensor, "n dim"]
    motion: Float[Tensor, "n dim"]
    sentences: Float[Tensor, "n sdim"]

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.keys)

    def select(self, indices: Sequence[int]) -> "Encoded":
        """The samples at ``indices``, in that order."""
        index = torch.as_tensor(indices, dtype=torch.long)
        return replace(
            self,
            keys=tuple(self.keys[i] for i in indices),
            captions=tuple(self.captions[i] for i in indices),
            text=self.text[index],
            motion=self.motion[index],
            sentences=self.sentences[index],
        )

    def sorted(self) -> "Encoded":
        """The same samples in the order of their keys: results do not depend on the loader's."""
        return self.select(sorted(range(len(self)), key=lambda i: self.keys[i]))


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a split is queried: which split, what else counts as right, and in what galleries."""

    split: str = "test"
    same_text_above: float | None = None
    gallery_size: int | None = None


PROTOCOLS = {
    "normal": Protocol(),
    "threshold_0.95": Protocol(same_text_above=0.95),
    "nsim": Protocol(split="nsim_test"),
    "guo": Protocol(gallery_size=32),
}


def evaluate(encoded: Encoded, protocol: Protocol, tie_safe: bool = False) -> dict[str, float]:
    """Figures of one protocol, ``t2m/R01`` to ``m2t/len``.

    ``tie_safe`` gives the expected value under random tie-breaking instead of the original rule.
    """
    encoded = encoded.sorted()
    if protocol.gallery_size is None:
        return _evaluate_gallery(encoded, protocol, tie_safe)
    galleries = random_galleries(len(encoded), protocol.gallery_size)
    if not galleries:
        raise InputError(
            f"galleries of {protocol.gallery_size} need as many motions; the split has "
            f"{len(encoded)}"
        )
    figures = [_evaluate_gallery(encoded.select(g), protocol, tie_safe) for g in galleries]
    return {name: float(np.mean([f[name] for f in figures])) for name in figures[0]}


def random_galleries(count: int, size: int) -> list[list[int]]:
    """Disjoint galleries of ``size`` among ``count`` items, the rest dropped.

    The papers shuffled with NumPy's legacy generator and seed 0; another one changes the figures.
    """
    order = np.arange(count)
    np.random.RandomState(GUO_SEED).shuffle(order)
    return [order[s : s + size].tolist() for s in range(0, count - size + 1, size)]


def _evaluate_gallery(encoded: Encoded, protocol: Protocol, tie_safe: bool) -> dict[str, float]:
    scores = cosine_similarity(encoded.text, encoded.motion)
    matches = None
    if protocol.same_text_above is not None:
        alike = shown_score(encoded.sentences @ encoded.sentences.mT)
        matches = (alike > protocol.same_text_above) | torch.eye(
            len(encoded), dtype=torch.bool, device=scores.device
        )
    return both_ways(scores, matches, tie_safe)


def evaluate_all(
    encode: Callable[[str], Encoded | None],
) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
    """Figures of every protocol that the data set allows, by the original rule and tie-safe.

    ``encode`` gives a split, or None when there is none; it is called once a split.
    """
    splits = {split: encode(split) for split in {p.split: None for p in PROTOCOLS.values()}}
    possible = {
        name: (encoded, protocol)
        for name, protocol in PROTOCOLS.items()
        if (encoded := splits[protocol.split]) is not None
        and len(encoded) >= (protocol.gallery_size or 1)
    }
    original = {name: evaluate(*pair) for name, pair in possible.items()}
    tie_safe = {name: evaluate(*pair, tie_safe=True) for name, pair in possible.items()}
    return original, tie_safe
