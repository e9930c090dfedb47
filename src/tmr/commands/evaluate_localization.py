"""How well the model of a run finds sentences in long motions."""

import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from tmr.api import load
from tmr.io import write_json
from tmr.localization import Scoring, WindowPlan
from tmr.localization.evaluation import evaluate_encoders
from tmr.localization.metrics import FIGURES, table
from tmr.localization.sequences import sequences_of
from tmr.motion.skeleton import FPS
from tmr.runs.build import data_of
from tmr.runs.calibration import error_of_calibration

log = logging.getLogger(__name__)


def evaluate_localization(
    run_dir: str,
    split: str,
    clips: int,
    sequences: int,
    seed: int,
    windows: Mapping[str, Any],
    scoring: Mapping[str, Any],
    ckpt: str,
    device: str,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Print and write recall, mean IoU and mAP of a split's sentences in long motions."""
    plan, rules = WindowPlan(**windows), Scoring(**scoring)
    model = load(run_dir, device, ckpt)
    data_set = data_of(model.config if data is None else {"data": data})
    long = sequences_of(data_set, split, clips, sequences, seed)
    encoder, normalizer = model.network.motion_encoder, model.normalizer
    outcome = evaluate_encoders(long, plan, encoder, normalizer, model.encode_texts, rules, seed)
    rows = outcome.intervals(seed)
    frames = [len(sequence.features) for sequence in long]
    print(
        f"{data_set.name}, split {split}: {len(outcome.groups)} sentences in {len(long)} sequences "
        f"of {min(frames) / FPS:.1f} to {max(frames) / FPS:.1f} s; percent [95% interval]"
    )
    print(table(rows))
    error = error_of_calibration(model.run, outcome, fit=split == "val")
    if error is not None:
        count = len(outcome.fits)
        print(f"calibration error of {count} best segments: {100 * error:.1f} points")
    result = {
        "data": data_set.name,
        "split": split,
        "clips": clips,
        "sequences": len(long),
        "sentences": len(outcome.groups),
        "seed": seed,
        "figures": {m: dict(zip(FIGURES, map(asdict, r), strict=True)) for m, r in rows.items()},
        "calibration_error": error,
    }
    path = model.run.root / "localization" / f"{data_set.name}_{split}_x{clips}.json"
    write_json(path, result)
    log.info("wrote %s", path)
