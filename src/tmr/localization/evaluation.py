"""Queries of annotated sequences through a model and two baselines."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tmr.data import Normalizer
from tmr.localization.metrics import query_metrics
from tmr.localization.scoring import Scoring, ranked, window_scores
from tmr.localization.segments import non_maximum_suppression, overlap
from tmr.localization.sequences import AnnotatedSequence
from tmr.localization.windows import WindowLatents, WindowPlan, encode_motions
from tmr.model import Encoder
from tmr.progress import each
from tmr.retrieval.bootstrap import Interval, with_intervals

TOP = 10  # segments that average precision looks at
RANDOM_DRAWS = 5  # over which the random baseline is averaged
RIGHT = 0.5  # IoU from which a segment counts as right in the calibration

Figures = Float[np.ndarray, "queries figures"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Figures of every query, by the model and by the baselines, and the model's best segments.

    ``groups`` is the sequence of each query. ``fits`` are those of best segments and ``right``
    whether they are: each query once in its own sequence and once in one where it does not happen.
    """

    methods: dict[str, Figures]
    groups: Int[np.ndarray, " queries"]
    fits: Float[np.ndarray, " best"]
    right: Bool[np.ndarray, " best"]

    def intervals(self, seed: int) -> dict[str, list[Interval]]:
        """Each of ``FIGURES`` by method, with bootstrap intervals over sequences."""
        return {m: with_intervals(v, self.groups, seed) for m, v in self.methods.items()}


def evaluate_encoders(
    sequences: Sequence[AnnotatedSequence],
    plan: WindowPlan,
    motion_encoder: Encoder,
    normalizer: Normalizer,
    encode_texts: Callable[[Sequence[str]], Float[Tensor, "texts dim"]],
    scoring: Scoring,
    seed: int,
) -> Outcome:
    """`evaluate` of the windows and sentences as a model encodes them."""
    texts = sorted(set().union(*(sequence.texts for sequence in sequences)))
    sentences = dict(zip(texts, encode_texts(texts).cpu(), strict=True))
    bar = each(sequences, "encode", "sequences")
    motions = ((s.name, normalizer(torch.from_numpy(s.features).float())) for s in bar)
    windows = encode_motions(plan, motion_encoder, motions)
    return evaluate(sequences, windows, sentences, scoring, seed)


def evaluate(
    sequences: Sequence[AnnotatedSequence],
    windows: WindowLatents,
    sentences: Mapping[str, Float[Tensor, " dim"]],
    scoring: Scoring,
    seed: int,
) -> Outcome:
    """Every sentence searched in its sequence; ``windows`` has the sequences in their order.

    The baselines are a random order of the same windows, thinned out in the same way and averaged
    over draws, and the whole sequence as the only segment.
    """
    rng = np.random.default_rng(seed)
    own = [windows.of(i) for i in range(len(sequences))]
    methods: dict[str, list[Float[np.ndarray, " figures"]]] = {}
    groups, fits, right = [], [], []
    for i, sequence in enumerate(sequences):
        spans = own[i].spans
        whole = np.array([[0.0, float(own[i].offsets[-1])]])
        for query in sequence.queries:
            sentence = sentences[query.text]
            kept, kept_fits = ranked(own[i], window_scores(sentence, own[i]), scoring, TOP)
            draws = [_at_random(spans, scoring, rng) for _ in range(RANDOM_DRAWS)]
            for name, figures in {
                "model": query_metrics(spans[kept].astype(float), query.truths),
                "random": np.mean([query_metrics(d, query.truths) for d in draws], axis=0),
                "whole": query_metrics(whole, query.truths),
            }.items():
                methods.setdefault(name, []).append(figures)
            groups.append(i)
            fits.append(kept_fits[0])
            best = spans[kept[:1]].astype(float)
            right.append(bool(overlap(best, query.truths).max() >= RIGHT))
            others = [j for j, s in enumerate(sequences) if query.text not in s.texts]
            if others:
                other = own[int(rng.choice(others))]
                fits.append(ranked(other, window_scores(sentence, other), scoring, 1)[1][0])
                right.append(False)
    return Outcome(
        {name: np.stack(rows) for name, rows in methods.items()},
        np.array(groups), np.array(fits), np.array(right),
    )  # fmt: skip


def _at_random(
    spans: Int[np.ndarray, "windows 2"], scoring: Scoring, rng: np.random.Generator
) -> Float[np.ndarray, "found 2"]:
    kept = non_maximum_suppression(spans, rng.random(len(spans)), scoring.max_overlap, TOP)
    return spans[kept].astype(float)
