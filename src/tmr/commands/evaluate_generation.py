"""How good the motions are that a run generates, beside real ones and two baselines."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tmr.api import Model, load
from tmr.errors import InputError
from tmr.generation import physics, positions
from tmr.generation.comparison import compare
from tmr.generation.evaluation import Method, cases_of, mean_motion, table, training_clips
from tmr.io import write_json
from tmr.motion.skeleton import FPS
from tmr.runs.build import data_of

log = logging.getLogger(__name__)


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
        "generated": generated,
        "mean motion": mean_motion(normalizer),
        "training clip": training_clips(training, samples, seed),
    }
    measured = compare(methods, cases, judge)
    figures = {name: found.figures() for name, found in measured.items()}
    if judge is None:
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
        "intervals": {name: found.intervals() for name, found in measured.items()},
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
