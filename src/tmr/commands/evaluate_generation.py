"""How good the motions are that a run generates, beside real ones and two baselines."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tmr.api import Model, load
from tmr.errors import InputError
from tmr.generation import metrics, physics, positions
from tmr.generation.evaluation import Case, Method, cases_of, mean_motion, table, training_clips
from tmr.io import write_json
from tmr.motion.features import features_to_joints
from tmr.motion.skeleton import FPS
from tmr.progress import Progress
from tmr.retrieval.bootstrap import Interval, with_intervals
from tmr.runs.build import data_of

log = logging.getLogger(__name__)

CASES_AT_ONCE = 64  # bounds the memory


def evaluate_generation(
    run_dir: str,
    evaluator: str | None,
    split: str,
    samples: int,
    fact: float | int,
    seed: int,
    ckpt: str,
    device: str,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Print and write the figures of a split's texts: generated, real, and the baselines."""
    model = load(run_dir, device, ckpt)
    judge = None if evaluator is None else _evaluator(evaluator, run_dir, device)
    data_set = data_of(model.config if data is None else {"data": data})
    normalizer = model.normalizer if data is None else data_set.normalizer()
    cases = cases_of(data_set, split, model.longest)
    training = cases_of(data_set, "train", data_set.max_seconds)

    def generated(texts, real):
        seconds = [len(motion) / FPS for motion in real]
        found = model.generate(texts, seconds, samples, fact, seed)
        return [[motion.numpy() for motion in motions] for motions in found]

    methods: dict[str, Method] = {
        "real": lambda _, real: [[motion] for motion in real],
        "generated": generated,
        "mean motion": mean_motion(normalizer),
        "training clip": training_clips(training, samples, seed),
    }
    judged = {name: _judge(name, method, cases, judge) for name, method in methods.items()}
    figures = {name: outcome.figures() for name, outcome in judged.items()}
    if judge is not None:
        texts = judge.encode_texts([case.text for case in cases])
        reference = judged["real"].latents[:, 0]
        for name, outcome in judged.items():
            figures[name] |= metrics.evaluate(texts, outcome.latents, reference)
    else:
        log.info(
            "FID, R-precision and their like need an evaluator: give evaluator=RUN_DIR, a TMR run"
        )
    print(
        f"{data_set.name}, split {split}: {len(cases)} texts, {samples} motions each, "
        f"fact {fact:g}; evaluator {evaluator or 'none'}"
    )
    print(table(figures))
    result: dict[str, Any] = {
        "data": data_set.name,
        "split": split,
        "texts": len(cases),
        "samples": samples,
        "fact": fact,
        "seed": seed,
        "evaluator": evaluator,
        "units": positions.UNITS | physics.UNITS,
        "figures": figures,
        "intervals": {name: outcome.intervals() for name, outcome in judged.items()},
    }
    path = model.run.root / "generation" / f"{data_set.name}_{split}.json"
    write_json(path, result)
    log.info("wrote %s", path)


def _evaluator(evaluator: str, run_dir: str, device: str) -> Model:
    """The model that evaluates: one of its own motions would find what it meant in them."""
    if Path(evaluator).resolve() == Path(run_dir).resolve():
        raise InputError(
            f"evaluator={evaluator} is the run that generates; give another one, trained with "
            "`python train.py model=tmr ...` on the same data"
        )
    return load(evaluator, device)


@dataclass(frozen=True)
class _Judged:
    """What was measured of each motion of each text."""

    errors: Float[np.ndarray, "texts samples names"]
    reports: Float[np.ndarray, "texts units"]
    latents: Float[Tensor, "texts samples dim"]

    def per_text(self) -> dict[str, Float[np.ndarray, " texts"]]:
        """Figures of each text: the mean of its motions, and of several the best."""
        found = dict(zip(positions.NAMES, self.errors.mean(axis=1).T, strict=True))
        if self.errors.shape[1] > 1:
            best = self.errors.min(axis=1).T
            found |= {f"best_{n}": v for n, v in zip(positions.NAMES, best, strict=True)}
        return found | dict(zip(physics.UNITS, self.reports.T, strict=True))

    def figures(self) -> dict[str, float]:
        """The mean over texts of each figure."""
        return {name: float(values.mean()) for name, values in self.per_text().items()}

    def intervals(self) -> dict[str, Any]:
        """Each figure with its 95% bootstrap interval over texts."""
        per_text = self.per_text()
        values = np.stack(list(per_text.values()), axis=1)
        found: list[Interval] = with_intervals(values, np.arange(len(values)))
        return {name: asdict(interval) for name, interval in zip(per_text, found, strict=True)}


def _judge(name: str, method: Method, cases: Sequence[Case], evaluator: Model | None) -> _Judged:
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
                found = evaluator.encode_motions(flat, check=False)  # however bad they are
                latents.append(found.cpu().unflatten(0, (len(some), -1)))
            bar.update(len(some))
    found = torch.cat(latents) if latents else torch.empty(len(cases), 1, 0)
    return _Judged(np.array(errors), np.array(reports), found)


def _errors(
    motion: Float[np.ndarray, "_ 263"], truth: Float[np.ndarray, "_ 263"]
) -> Float[np.ndarray, " names"]:
    frames = min(len(motion), len(truth))  # a training clip may end before
    return positions.position_errors(motion[:frames], truth[:frames])
