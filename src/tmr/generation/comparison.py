"""Motions of several methods measured on the same texts."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tmr.generation import metrics, physics, positions
from tmr.generation.evaluation import Case, Features, Method
from tmr.generation.evaluator import Encoder
from tmr.motion.features import features_to_joints
from tmr.progress import Progress
from tmr.retrieval.bootstrap import with_intervals

CASES_AT_ONCE = 64  # bounds the memory


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of each motion of each text, and what an evaluator finds in all of them."""

    errors: Float[np.ndarray, "texts samples names"]
    reports: Float[np.ndarray, "texts units"]
    of_latents: Mapping[str, float]

    def per_text(self) -> dict[str, Float[np.ndarray, " texts"]]:
        """Figures of each text: the mean of its motions, and of several the best."""
        found = dict(zip(positions.NAMES, self.errors.mean(axis=1).T, strict=True))
        if self.errors.shape[1] > 1:
            best = self.errors.min(axis=1).T
            found |= {f"best_{n}": v for n, v in zip(positions.NAMES, best, strict=True)}
        return found | dict(zip(physics.UNITS, self.reports.T, strict=True))

    def figures(self) -> dict[str, float]:
        """The mean over texts of each figure, and those of latents."""
        means = {name: float(values.mean()) for name, values in self.per_text().items()}
        return means | dict(self.of_latents)

    def intervals(self) -> dict[str, Any]:
        """Each figure of texts with its 95% bootstrap interval."""
        per_text = self.per_text()
        values = np.stack(list(per_text.values()), axis=1)
        found = with_intervals(values, np.arange(len(values)))
        return {name: asdict(interval) for name, interval in zip(per_text, found, strict=True)}


def compare(
    methods: Mapping[str, Method], cases: Sequence[Case], evaluator: Encoder | None = None
) -> dict[str, Measured]:
    """What is measured of the method ``real``, the motions of the cases, and of each other method.

    With an ``evaluator``, latents are compared as well, with those of the real motions.
    """
    texts = None if evaluator is None else evaluator.encode_texts([case.text for case in cases])
    real: dict[str, Method] = {"real": lambda _, motions: [[motion] for motion in motions]}
    found: dict[str, Measured] = {}
    reference: Float[Tensor, "texts dim"] | None = None
    for name, method in (real | dict(methods)).items():
        errors, reports, latents = _measure(name, method, cases, evaluator)
        of_latents: dict[str, float] = {}
        if texts is not None and latents is not None:
            reference = latents[:, 0] if reference is None else reference
            of_latents = metrics.evaluate(texts.cpu(), latents, reference)
        found[name] = Measured(errors, reports, of_latents)
    return found


def _measure(
    name: str, method: Method, cases: Sequence[Case], evaluator: Encoder | None
) -> tuple[
    Float[np.ndarray, "texts samples names"],
    Float[np.ndarray, "texts units"],
    Float[Tensor, "texts samples dim"] | None,
]:
    """Errors, physical figures and, with an evaluator, latents of a method's motions."""
    errors, reports, latents = [], [], []
    with Progress(name, "texts", len(cases)) as bar:
        for start in range(0, len(cases), CASES_AT_ONCE):
            some = cases[start : start + CASES_AT_ONCE]
            real = [case.read() for case in some]
            motions = method([case.text for case in some], real)
            for truth, found in zip(real, motions, strict=True):
                errors.append([_errors(motion, truth) for motion in found])
                bodies = [physics.physical_report(features_to_joints(m)) for m in found]
                reports.append(list(physics.mean_report(bodies).values()))
            if evaluator is not None:
                flat = [motion for found in motions for motion in found]
                encoded = evaluator.encode_motions(flat, check=False)  # however bad they are
                latents.append(encoded.cpu().unflatten(0, (len(some), -1)))
            bar.update(len(some))
    return np.array(errors), np.array(reports), torch.cat(latents) if latents else None


def _errors(motion: Features, truth: Features) -> Float[np.ndarray, " names"]:
    frames = min(len(motion), len(truth))  # a training clip may end before
    return positions.position_errors(motion[:frames], truth[:frames])
