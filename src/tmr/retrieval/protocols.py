"""Retrieval protocols as records over one encoded split: how its motions are asked for."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tmr.errors import InputError
from tmr.retrieval.bootstrap import RESAMPLES, Interval, estimate, with_intervals
from tmr.retrieval.metrics import (
    COLUMNS,
    TIE_TOLERANCE,
    Placement,
    average_precision,
    cosine_similarity,
    hits,
    join_placements,
    place,
    shown_score,
    summarize,
)

GUO_SEED = 0
WAYS = ("t2m", "m2t")


@dataclass(frozen=True, slots=True)
class Texts:
    """Captions of a split's motions: ``owners[i]`` is the row of the motion that has caption i."""

    captions: tuple[str, ...]
    owners: Int[Tensor, " texts"]
    text: Float[Tensor, "texts dim"]


@dataclass(frozen=True, slots=True)
class Encoded:
    """Latents and sentence vectors of the samples of a split, in the order of ``keys``.

    ``captions`` and ``text`` are those of each motion's first caption, ``others`` the captions
    behind it, None where they were not encoded. ``labels`` stand for each motion's labels, None
    where the data set has none.
    """

    keys: tuple[str, ...]
    captions: tuple[str, ...]
    text: Float[Tensor, "n dim"]
    motion: Float[Tensor, "n dim"]
    sentences: Float[Tensor, "n sdim"]
    others: Texts | None = None
    labels: tuple[str, ...] | None = None

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.keys)

    def select(self, indices: Sequence[int]) -> "Encoded":
        """The samples at ``indices``, each at most once, in that order."""
        index = torch.as_tensor(indices, dtype=torch.long)
        return replace(
            self,
            keys=tuple(self.keys[i] for i in indices),
            captions=tuple(self.captions[i] for i in indices),
            text=self.text[index],
            motion=self.motion[index],
            sentences=self.sentences[index],
            others=None if self.others is None else self._others_of(self.others, index),
            labels=None if self.labels is None else tuple(self.labels[i] for i in indices),
        )

    def _others_of(self, others: Texts, index: Int[Tensor, " m"]) -> Texts:
        rows = torch.full((len(self),), -1, dtype=torch.long)
        rows[index] = torch.arange(len(index))
        owners = rows[others.owners]
        order = owners.argsort(stable=True)
        order = order[owners[order] >= 0]
        captions = tuple(others.captions[i] for i in order.tolist())
        return Texts(captions, owners[order], others.text[order])

    def sorted(self) -> "Encoded":
        """The same samples in the order of their keys: results do not depend on the loader's."""
        return self.select(sorted(range(len(self)), key=lambda i: self.keys[i]))

    def only(self, keys: Iterable[str]) -> "Encoded":
        """The samples with these keys, in the order that they have here."""
        wanted = set(keys)
        return self.select([i for i, key in enumerate(self.keys) if key in wanted])

    def first_texts(self) -> Texts:
        """The first caption of every motion."""
        return Texts(self.captions, torch.arange(len(self)), self.text)

    def all_texts(self) -> Texts:
        """Every caption of every motion; InputError when only the first ones were encoded."""
        if self.others is None:
            raise InputError("only first captions were encoded; this protocol asks with every one")
        return Texts(
            self.captions + self.others.captions,
            torch.cat([torch.arange(len(self)), self.others.owners]),
            torch.cat([self.text, self.others.text]),
        )


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a split is queried: which split, which texts, what counts as right, in what galleries.

    A text's own motion and a motion's own texts are always right. Right as well are those whose
    sentence vectors score above ``same_text_above``, or, with ``same_caption``, those with the
    same caption string, or, with ``same_label``, those with the same labels. ``every_caption``
    asks with all captions instead of the first ones. ``gallery_size`` cuts the split into random
    galleries.
    """

    split: str = "test"
    same_text_above: float | None = None
    same_caption: bool = False
    same_label: bool = False
    every_caption: bool = False
    gallery_size: int | None = None

    def texts(self, encoded: Encoded) -> Texts:
        """The texts that ask and are asked for."""
        return encoded.all_texts() if self.every_caption else encoded.first_texts()

    def possible(self, encoded: Encoded) -> bool:
        """Whether the split has what the protocol needs."""
        enough = len(encoded) >= (self.gallery_size or 1)
        lacking = (self.every_caption and encoded.others is None) or (
            self.same_label and encoded.labels is None
        )
        return enough and not lacking

    def matches(self, encoded: Encoded, texts: Texts) -> Bool[Tensor, "texts motions"]:
        """Which motions are right for which texts."""
        own = texts.owners[:, None] == torch.arange(len(encoded))
        if self.same_text_above is not None:
            alike = shown_score(encoded.sentences @ encoded.sentences.mT)
            return own | (alike > self.same_text_above)
        if self.same_label:
            assert encoded.labels is not None
            numbers = caption_numbers(encoded.labels)
            return numbers[texts.owners][:, None] == numbers
        return owned_captions(encoded, texts) if self.same_caption else own


# The first four are those of the TMR paper (section 4.1); docs/metrics.md has the formulas.
PROTOCOLS = {
    "normal": Protocol(),
    "threshold_0.95": Protocol(same_text_above=0.95),
    "nsim": Protocol(split="nsim_test"),
    "guo": Protocol(gallery_size=32),
    "caption": Protocol(same_caption=True),
    "first_of_all_captions": Protocol(every_caption=True),
    "same_label": Protocol(same_label=True),
}


def caption_numbers(captions: Sequence[str]) -> Int[Tensor, " n"]:
    """The same number for the same string, counted in the order of first appearance."""
    numbers: dict[str, int] = {}
    return torch.tensor([numbers.setdefault(c, len(numbers)) for c in captions])


def owned_captions(encoded: Encoded, texts: Texts) -> Bool[Tensor, "texts motions"]:
    """Which motions have a caption with the very string of each text."""
    numbers = caption_numbers(texts.captions)
    owned = torch.zeros(int(numbers.max()) + 1, len(encoded), dtype=torch.bool)
    owned[numbers, texts.owners] = True
    return owned[numbers]


def scores_of(encoded: Encoded, texts: Texts) -> Float[Tensor, "texts motions"]:
    """Cosine of every text with every motion; texts with the same string have the same row.

    Each string is multiplied once: a product of matrices may round equal rows differently.
    """
    numbers = caption_numbers(texts.captions)
    firsts = torch.zeros(int(numbers.max()) + 1, dtype=torch.long)
    backwards = torch.arange(len(numbers)).flip(0)  # so that the first of a string is written last
    firsts[numbers[backwards]] = backwards
    return cosine_similarity(texts.text[firsts], encoded.motion)[numbers]


def ceiling_scores(encoded: Encoded, texts: Texts) -> Float[Tensor, "texts motions"]:
    """Scores of a model that is perfect but cannot tell motions with the same caption apart.

    1 / m where the motion is one of the m that have the caption, and 0 elsewhere: a motion with
    several captions finds the least shared one first.
    """
    owned = owned_captions(encoded, texts)
    return owned / owned.sum(dim=1, keepdim=True)


@dataclass(frozen=True, slots=True)
class Ranking:
    """Where the right answers of the queries of one direction stand.

    Queries are named by the key of their motion and by their caption. ``original`` counts exact
    ties, ``tie_safe`` those within the tolerance, and ``ceiling`` is the placement by
    ``ceiling_scores``. ``average_precision`` is over all right answers, where labels tell them: it
    needs every score sorted. ``retrieved`` and ``retrieved_captions`` name what stood first,
    ``top`` is its cosine.
    """

    keys: tuple[str, ...]
    captions: tuple[str, ...]
    original: Placement
    tie_safe: Placement
    ceiling: Placement
    average_precision: Float[Tensor, " q"] | None
    retrieved: tuple[str, ...]
    retrieved_captions: tuple[str, ...]
    top: Float[Tensor, " q"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a protocol found: the rankings of each gallery, for ``t2m`` and ``m2t``."""

    rankings: Mapping[str, tuple[Ranking, ...]]

    def joined(self, way: str, rule: str) -> Placement:
        """The placements of all galleries by ``original``, ``tie_safe`` or ``ceiling``."""
        return join_placements([getattr(ranking, rule) for ranking in self.rankings[way]])

    def figures(self, tie_safe: bool = False) -> dict[str, float]:
        """``t2m/R01`` to ``m2t/len``, averaged over the galleries, without intervals."""
        rule = "tie_safe" if tie_safe else "original"
        figures: dict[str, float] = {}
        for way in WAYS:
            rows = [summarize(getattr(r, rule), tie_safe) for r in self.rankings[way]]
            figures |= {f"{way}/{c}": float(np.mean([row[c] for row in rows])) for c in COLUMNS}
            figures[f"{way}/len"] = float(len(self.rankings[way][0].keys))
        return figures

    def intervals(self, tie_safe: bool = False, resamples: int = RESAMPLES) -> dict[str, Interval]:
        """The figures ``t2m/R01`` to ``m2t/MedR`` with bootstrap intervals over queries."""
        rule = "tie_safe" if tie_safe else "original"
        figures: dict[str, Interval] = {}
        for way in WAYS:
            placements = [getattr(ranking, rule) for ranking in self.rankings[way]]
            found = estimate(
                torch.stack([hits(p, tie_safe) for p in placements]).numpy(),
                torch.stack([p.ranks.double() for p in placements]).numpy(),
                resamples,
            )
            figures |= {f"{way}/{c}": f for c, f in zip(COLUMNS, found, strict=True)}
        return figures

    def mean_average_precision(self, resamples: int = RESAMPLES) -> dict[str, Interval]:
        """``t2m/mAP`` and ``m2t/mAP`` in percent, over the queries of all galleries; none where
        the protocol does not go by labels."""
        found: dict[str, Interval] = {}
        for way, rankings in self.rankings.items():
            known = [r.average_precision for r in rankings if r.average_precision is not None]
            if not known:
                continue
            values = 100 * torch.cat(known).double().numpy()
            (found[f"{way}/mAP"],) = with_intervals(
                values[:, None], np.arange(len(values)), resamples=resamples
            )
        return found

    def ceiling(self) -> dict[str, float]:
        """The tie-safe recalls that shared captions leave to a perfect model, in percent."""
        return {
            f"{way}/{column}": value
            for way in WAYS
            for column, value in summarize(self.joined(way, "ceiling"), tie_safe=True).items()
        }


def evaluate(encoded: Encoded, protocol: Protocol) -> Outcome:
    """What a protocol finds in a split, whatever the order of its samples.

    Raises:
        InputError: fewer motions than a gallery needs, or only first captions encoded for a
            protocol that asks with every one.
    """
    encoded = encoded.sorted()
    galleries = [encoded]
    if protocol.gallery_size is not None:
        indices = random_galleries(len(encoded), protocol.gallery_size)
        galleries = [encoded.select(index) for index in indices]
    if not galleries:
        raise InputError(
            f"galleries of {protocol.gallery_size} need as many motions; the split has "
            f"{len(encoded)}"
        )
    found = [_rank(gallery, protocol) for gallery in galleries]
    return Outcome({way: tuple(each[way] for each in found) for way in WAYS})


def random_galleries(count: int, size: int) -> list[list[int]]:
    """Disjoint galleries of ``size`` among ``count`` items, the rest dropped.

    The papers shuffled with NumPy's legacy generator and seed 0; another one changes the figures.
    """
    order = np.arange(count)
    np.random.RandomState(GUO_SEED).shuffle(order)
    return [order[s : s + size].tolist() for s in range(0, count - size + 1, size)]


def _rank(encoded: Encoded, protocol: Protocol) -> dict[str, Ranking]:
    """Both directions of one gallery."""
    texts = protocol.texts(encoded)
    matches = protocol.matches(encoded, texts)
    scores = scores_of(encoded, texts)
    ideal = ceiling_scores(encoded, texts)
    text_keys = tuple(encoded.keys[owner] for owner in texts.owners.tolist())
    of_texts = (text_keys, texts.captions)
    of_motions = (encoded.keys, encoded.captions)
    return {
        "t2m": _ranking(of_texts, of_motions, scores, ideal, matches, protocol.same_label),
        "m2t": _ranking(of_motions, of_texts, scores.mT, ideal.mT, matches.mT, protocol.same_label),
    }


Names = tuple[tuple[str, ...], tuple[str, ...]]


def _ranking(
    queries: Names,
    gallery: Names,
    scores: Float[Tensor, "q g"],
    ideal: Float[Tensor, "q g"],
    matches: Bool[Tensor, "q g"],
    many_right: bool,
) -> Ranking:
    top, first = scores.max(dim=1)
    keys, captions = gallery
    return Ranking(
        *queries,
        original=place(scores, matches),
        tie_safe=place(scores, matches, TIE_TOLERANCE),
        ceiling=place(ideal, matches),
        average_precision=average_precision(scores, matches) if many_right else None,
        retrieved=tuple(keys[i] for i in first.tolist()),
        retrieved_captions=tuple(captions[i] for i in first.tolist()),
        top=top,
    )


def evaluate_all(
    encode: Callable[[str], Encoded | None], protocols: Mapping[str, Protocol] = PROTOCOLS
) -> dict[str, Outcome]:
    """What every protocol finds that the data set allows, by name.

    ``encode`` gives a split, or None when there is none; it is called once a split.
    """
    splits = {split: encode(split) for split in {p.split: None for p in protocols.values()}}
    return {
        name: evaluate(encoded, protocol)
        for name, protocol in protocols.items()
        if (encoded := splits[protocol.split]) is not None and protocol.possible(encoded)
    }
