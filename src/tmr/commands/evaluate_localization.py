"""How well the model of a run finds sentences in long motions."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from tmr.api import Model, load
from tmr.data.dataset import read_features
from tmr.io import write_json
from tmr.localization import Scoring, WindowPlan, encode_motions, fit_calibration
from tmr.localization.calibration import calibration_error
from tmr.localization.evaluation import Outcome, evaluate
from tmr.localization.metrics import FIGURES, table
from tmr.localization.sequences import AnnotatedSequence, as_they_lie, joined
from tmr.progress import each
from tmr.retrieval.bootstrap import with_intervals
from tmr.runs.build import data_of
from tmr.runs.calibration import read_calibration, write_calibration

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
    annotations = data_set.present(split)

    def read(annotation):
        return read_features(data_set.motion_file(annotation.path))

    if clips == 1:
        long = as_they_lie(annotations, read)
    else:
        long = joined(annotations, read, sequences, clips, seed)
    latents = encode_motions(plan, model.network.motion_encoder, _normalized(model, long))
    outcome = evaluate(long, latents, _sentences(model, long), rules, seed)
    rows = {m: with_intervals(v, outcome.groups, seed) for m, v in outcome.methods.items()}
    frames = [len(sequence.features) for sequence in long]
    print(
        f"{data_set.name}, split {split}: {len(outcome.groups)} sentences in {len(long)} "
        f"sequences of {min(frames) / 20:.1f} to {max(frames) / 20:.1f} s; percent [95% interval]"
    )
    print(table(rows))
    figures = {m: dict(zip(FIGURES, map(asdict, row), strict=True)) for m, row in rows.items()}
    result = {
        "data": data_set.name,
        "split": split,
        "clips": clips,
        "sequences": len(long),
        "sentences": len(outcome.groups),
        "seed": seed,
        "figures": figures,
        "calibration_error": _calibrated(model, outcome, fit=split == "val"),
    }
    folder = model.run.root / "localization"
    path = folder / f"{data_set.name}_{split}_x{clips}.json"
    write_json(path, result)
    log.info("wrote %s", path)


def _normalized(
    model: Model, sequences: Sequence[AnnotatedSequence]
) -> Iterator[tuple[str, Float[Tensor, "_ 263"]]]:
    for sequence in each(sequences, "encode", "sequences"):
        yield sequence.name, model.normalizer(torch.from_numpy(sequence.features).float())


def _sentences(
    model: Model, sequences: Sequence[AnnotatedSequence]
) -> dict[str, Float[Tensor, " dim"]]:
    texts = sorted(set().union(*(sequence.texts for sequence in sequences)))
    return dict(zip(texts, model.encode_texts(texts).cpu(), strict=True))


def _calibrated(model: Model, outcome: Outcome, fit: bool) -> float | None:
    """The calibration error of the best segments, by a calibration fitted to them if so asked."""
    if fit:
        write_calibration(model.run, fit_calibration(outcome.fits, outcome.right))
    calibration = read_calibration(model.run)
    if calibration is None:
        log.info("no calibration in %s: fit it with split=val", model.run.root)
        return None
    confidences = calibration(outcome.fits)
    error = calibration_error(confidences, outcome.right)
    print(f"calibration error of {len(confidences)} best segments: {100 * error:.1f} points")
    return error
