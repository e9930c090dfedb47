"""The labeled motions of a split, recognized by a model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from tmr.data import Caption, TextMotionData
from tmr.data.dataset import frames_of, read_features
from tmr.errors import InputError
from tmr.progress import each
from tmr.retrieval.bootstrap import with_intervals
from tmr.search.encoder import Encoder
from tmr.zero_shot.labels import LabelSet
from tmr.zero_shot.recognition import (
    TOPS,
    Recognition,
    evaluate_recognition,
    label_probabilities,
    truth_table,
)

MOTIONS_AT_ONCE = 512
RANKED = 5  # labels listed for each motion


@dataclass(frozen=True, slots=True)
class LabeledMotion:
    """A part of a motion to recognize, with the labels that it has."""

    key: str
    file: Path
    part: Caption
    truths: frozenset[str]

    def read(self) -> Float[np.ndarray, "_ 263"]:
        """Features of the part, of one frame at least."""
        features = read_features(self.file)
        begin, end = frames_of(self.part, len(features))
        return features[min(begin, len(features) - 1) : max(end, begin + 1)]


@dataclass(frozen=True, slots=True)
class Recognized:
    """Labeled motions with the probability of each label, and how often the right one won."""

    motions: list[LabeledMotion]
    labels: tuple[str, ...]
    probabilities: Float[np.ndarray, "motions labels"]
    recognition: Recognition

    def figures(self, seed: int) -> dict[str, str]:
        """Top-1 and top-5 in percent with bootstrap intervals, and the mean over labels."""
        hits = self.recognition.hits.astype(float)
        tops = with_intervals(hits, np.arange(len(hits)), seed)
        figures = {f"top-{top}": i.percent() for top, i in zip(TOPS, tops, strict=True)}
        return figures | {"mean over labels": f"{100 * self.recognition.mean_per_label:.2f}"}

    def rankings(self) -> list[dict[str, Any]]:
        """Key, true labels and the most probable labels of each motion."""
        order = np.argsort(-self.probabilities, axis=1, kind="stable")[:, :RANKED]
        return [
            {
                "key": motion.key,
                "truth": sorted(motion.truths),
                "ranked": {self.labels[i]: round(float(p[i]), 4) for i in ranks},
            }
            for motion, p, ranks in zip(self.motions, self.probabilities, order, strict=True)
        ]


def labeled_motions(data: TextMotionData, split: str, labels: LabelSet) -> list[LabeledMotion]:
    """The parts of a split's motions that have one of the labels.

    Raises:
        InputError: there is none.
    """
    annotations = data.present(split)
    found = [
        LabeledMotion(annotation.key, data.motion_file(annotation.path), part, truths)
        for annotation in annotations
        for part, truths in labels.parts(annotation)
    ]
    if not found:
        raise InputError(
            f"none of {len(annotations)} motions of {data.name!r}, split {split!r}, has a label of "
            f"labels={labels.name}; give the data set that they belong to as data=NAME"
        )
    return found


def recognize(
    encoder: Encoder, motions: list[LabeledMotion], labels: LabelSet, temperature: float
) -> Recognized:
    """Motions recognized by the sentences of the labels; ``temperature`` is that of
    `label_probabilities`."""
    latents = torch.cat(
        [
            encoder.encode_motions(
                [motion.read() for motion in motions[start : start + MOTIONS_AT_ONCE]], check=False
            ).cpu()
            for start in each(range(0, len(motions), MOTIONS_AT_ONCE), "encode", "batches")
        ]
    )
    cases = [case for label in labels.prompts.values() for case in label]
    texts = encoder.encode_texts([prompt for case in cases for prompt in case]).cpu()
    encoded = iter(texts.split([len(case) for case in cases]))
    prompts = [[next(encoded) for _ in label] for label in labels.prompts.values()]
    probabilities = label_probabilities(latents, prompts, temperature)
    truths = truth_table([motion.truths for motion in motions], labels.labels)
    recognition = evaluate_recognition(probabilities, truths)
    return Recognized(motions, labels.labels, probabilities, recognition)
