"""Everything that mining finds in a library."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor

from tmr.mining.clusters import distinctive_words, k_means
from tmr.mining.pairs import caption_ranks, groups_of, motion_distance, near_pairs
from tmr.mining.report import ClusterReport, Mined, MotionPair, Suspect
from tmr.retrieval import shown_score
from tmr.search.captions import Captions
from tmr.search.entry import Entry
from tmr.search.library import Library

Latents = Float[Tensor, "n dim"]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From where on something is found: scores (1 + cosine) / 2, and a distance in meters.

    Near duplicates have latents of at least ``duplicates_above`` and joints at most
    ``duplicate_meters`` apart on average. Like motions or captions have at least ``alike_above``,
    unlike ones at most ``unlike_below``. A caption fits badly when the score of another one is
    better by ``suspect_margin``.
    """

    duplicates_above: float | int
    duplicate_meters: float | int
    alike_above: float | int
    unlike_below: float | int
    suspect_margin: float | int


def mine(
    library: Library,
    title: str,
    where: str,
    thresholds: Thresholds,
    clusters: int | None,
    pairs: int,
    seed: int,
) -> Mined:
    """What a library of motions with captions holds twice, contradicts, or has in common.

    ``where`` filters the motions. ``clusters`` is how many, None the square root of half the number
    of motions. At most ``pairs`` of each kind are kept.

    Raises:
        InputError: a filter that cannot be read, or fewer motions than clusters.
    """
    items, latents, captions = library.entries(where), library.latents(where), library.captions
    own = [[captions.rows[text] for text in item.captions] for item in items]
    first = captions.latents[[rows[0] for rows in own]]
    alike, unlike = thresholds.alike_above, thresholds.unlike_below
    return Mined(
        title=title,
        motions=len(items),
        duplicates=_duplicates(library, items, latents, thresholds),
        alike=_disagreeing(items, latents, first, alike, unlike)[:pairs],
        unlike=[
            replace(pair, score=pair.caption_score, caption_score=pair.score)
            for pair in _disagreeing(items, first, latents, alike, unlike)[:pairs]
        ],
        suspects=_suspects(captions, items, latents, own, thresholds.suspect_margin),
        clusters=_clusters(items, latents, clusters, seed),
    )


def _duplicates(
    library: Library, items: Sequence[Entry], latents: Latents, thresholds: Thresholds
) -> list[list[str]]:
    near = near_pairs(latents, thresholds.duplicates_above)
    motions = {i: library.features(items[i].key) for i in {i for pair in near for i in pair[:2]}}
    same = [
        (i, j)
        for i, j, _ in near
        if motion_distance(motions[i], motions[j]) <= thresholds.duplicate_meters
    ]
    return [[items[i].key for i in group] for group in groups_of(same)]


def _disagreeing(
    items: Sequence[Entry], near: Latents, far: Latents, alike: float | int, unlike: float | int
) -> list[MotionPair]:
    """Pairs that are alike by ``near`` and unlike by ``far``, most unlike first."""
    pairs = near_pairs(near, alike)
    i, j = [i for i, _, _ in pairs], [j for _, j, _ in pairs]
    others = shown_score((far[i] * far[j]).sum(dim=1)).tolist()
    found = [
        MotionPair(
            items[i].key, items[j].key, items[i].captions[0], items[j].captions[0], score, other
        )
        for (i, j, score), other in zip(pairs, others, strict=True)
        if other <= unlike
    ]
    return sorted(found, key=lambda pair: pair.caption_score)


def _suspects(
    captions: Captions,
    items: Sequence[Entry],
    latents: Latents,
    own: Sequence[Sequence[int]],
    margin: float | int,
) -> list[Suspect]:
    ranks = (column.tolist() for column in caption_ranks(latents, captions.latents, own))
    found = [
        Suspect(item.key, captions.texts[worst], score, captions.texts[best], better)
        for item, score, worst, best, better in zip(items, *ranks, strict=True)
        if better - score >= margin
    ]
    return sorted(found, key=lambda suspect: suspect.score - suspect.better_score)


def _clusters(
    items: Sequence[Entry], latents: Latents, count: int | None, seed: int
) -> list[ClusterReport]:
    count = count or max(1, round(math.sqrt(len(items) / 2)))
    clusters = k_means(latents, count, seed)
    members = [clusters.items(cluster) for cluster in range(clusters.count)]
    words = distinctive_words([[c for i in rows for c in items[i].captions] for rows in members])
    return [
        ClusterReport(
            words=tuple(distinctive),
            keys=tuple(items[i].key for i in rows),
            captions=tuple(items[i].captions[0] for i in rows),
            mean_score=float(shown_score(clusters.cosines[rows]).mean()),
        )
        for distinctive, rows in zip(words, members, strict=True)
    ]
