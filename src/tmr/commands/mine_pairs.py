"""Near duplicates, disagreeing pairs, badly fitting captions and clusters of a data set."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tmr.api import load
from tmr.io import write_json, write_text
from tmr.mining import (
    ClusterReport,
    Mined,
    MotionPair,
    Suspect,
    caption_ranks,
    distinctive_words,
    groups_of,
    markdown,
    motion_distance,
    near_pairs,
    spherical_k_means,
)
from tmr.retrieval import shown_score
from tmr.runs.build import data_of
from tmr.runs.libraries import open_library
from tmr.search.captions import Captions
from tmr.search.entry import Entry
from tmr.search.filters import quoted
from tmr.search.library import Library

log = logging.getLogger(__name__)

Latents = Float[Tensor, "n dim"]


def mine_pairs(
    run_dir: str,
    split: str,
    duplicates_above: float | int,
    duplicate_meters: float | int,
    alike_above: float | int,
    unlike_below: float | int,
    suspect_margin: float | int,
    clusters: int | None,
    pairs: int,
    examples: int,
    seed: int,
    ckpt: str,
    device: str,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Print and write what a split of a data set holds twice, contradicts, or has in common."""
    model = load(run_dir, device, ckpt)
    data_set = data_of({"data": data} if data else model.config)
    library = open_library(model.run, ckpt, model, data_set, [split])
    where = f"split = {quoted(split)}"
    items, latents = library.entries(where), library.latents(where)
    captions = library.captions
    place = captions.rows
    own = [[place[text] for text in item.captions] for item in items]
    first = captions.latents[[numbers[0] for numbers in own]]

    mined = Mined(
        title=f"{library.name}, split {split}",
        motions=len(items),
        duplicates=_duplicates(library, items, latents, duplicates_above, duplicate_meters),
        alike=_disagreeing(items, latents, first, alike_above, unlike_below)[:pairs],
        unlike=[
            _swapped(pair)
            for pair in _disagreeing(items, first, latents, alike_above, unlike_below)[:pairs]
        ],
        suspects=_suspects(captions, items, latents, own, suspect_margin),
        clusters=_clusters(items, latents, clusters, seed),
    )
    folder = model.run.root / "mining" / f"{library.name}_{split}"
    page = markdown(mined, examples)
    print(page)
    write_text(folder / "report.md", page)
    write_json(folder / "mined.json", asdict(mined))
    log.info("wrote %s/{report.md,mined.json}", folder)


def _duplicates(
    library: Library, items: Sequence[Entry], latents: Latents, above: float, meters: float
) -> list[list[str]]:
    features: dict[int, np.ndarray] = {}

    def motion(i: int) -> np.ndarray:
        if i not in features:
            features[i] = library.features(items[i].key)
        return features[i]

    same = [
        (i, j)
        for i, j, _ in near_pairs(latents, above)
        if motion_distance(motion(i), motion(j)) <= meters
    ]
    return [[items[i].key for i in group] for group in groups_of(same)]


def _disagreeing(
    items: Sequence[Entry], near: Latents, far: Latents, alike: float, unlike: float
) -> list[MotionPair]:
    """Pairs that are alike by ``near`` and unlike by ``far``, most unlike first."""
    pairs = near_pairs(near, alike)
    if not pairs:
        return []
    i, j = torch.tensor([pair[:2] for pair in pairs]).unbind(dim=1)
    others = shown_score((far[i] * far[j]).sum(dim=1)).tolist()
    found = [
        MotionPair(
            items[i].key, items[j].key, items[i].captions[0], items[j].captions[0], score, other
        )
        for (i, j, score), other in zip(pairs, others, strict=True)
        if other <= unlike
    ]
    return sorted(found, key=lambda pair: pair.caption_score)


def _swapped(pair: MotionPair) -> MotionPair:
    """A pair that was found by its captions: its two scores in their places."""
    return replace(pair, score=pair.caption_score, caption_score=pair.score)


def _suspects(
    captions: Captions,
    items: Sequence[Entry],
    latents: Latents,
    own: Sequence[Sequence[int]],
    margin: float,
) -> list[Suspect]:
    worst, place, best, best_score = caption_ranks(latents, captions.latents, own)
    texts = captions.texts
    found = [
        Suspect(item.key, texts[p], score, texts[b], better)
        for item, p, score, b, better in zip(
            items, place.tolist(), worst.tolist(), best.tolist(), best_score.tolist(), strict=True
        )
        if better - score >= margin
    ]
    return sorted(found, key=lambda suspect: suspect.score - suspect.better_score)


def _clusters(
    items: Sequence[Entry], latents: Latents, count: int | None, seed: int
) -> list[ClusterReport]:
    count = count or max(1, round(math.sqrt(len(items) / 2)))
    clusters = spherical_k_means(latents, count, seed)
    members = [clusters.items(cluster) for cluster in range(count)]
    members = [rows for rows in members if rows]
    words = distinctive_words([[c for i in rows for c in items[i].captions] for rows in members])
    return [
        ClusterReport(
            words=tuple(telling),
            keys=tuple(items[i].key for i in rows),
            captions=tuple(items[i].captions[0] for i in rows),
            mean_score=float(shown_score(clusters.cosines[rows]).mean()),
        )
        for telling, rows in zip(words, members, strict=True)
    ]
