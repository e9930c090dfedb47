"""Actions recognized by sentences, on a data set with labels."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tmr.api import Model, load
from tmr.data import Caption, TextMotionData
from tmr.data.dataset import frames_of, read_features
from tmr.errors import InputError
from tmr.io import write_json
from tmr.model import temperature_of
from tmr.progress import each
from tmr.retrieval.bootstrap import Interval, with_intervals
from tmr.runs.build import data_of
from tmr.zero_shot import (
    LabelSet,
    draw_confusion,
    evaluate_recognition,
    label_probabilities,
    summary,
    truth_table,
)
from tmr.zero_shot.recognition import TOPS

log = logging.getLogger(__name__)

MOTIONS_AT_ONCE = 512
RANKED = 5  # labels listed for each motion


def zero_shot(
    run_dir: str,
    labels: Mapping[str, Any],
    split: str,
    temperature: float | int | None,
    seed: int,
    ckpt: str,
    device: str,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Print and write how often sentences of labels are ranked right for the motions of a split."""
    label_set = LabelSet(**labels)
    model = load(run_dir, device, ckpt)
    data_set = data_of(model.config if data is None else {"data": data})
    keys, parts, truths = _parts(data_set, split, label_set)
    motions = _encode(model, data_set, parts)
    prompts = [model.encode_texts(some).cpu() for some in label_set.prompts.values()]
    temperature = temperature or temperature_of(model.network)
    probabilities = label_probabilities(motions, prompts, temperature)
    recognition = evaluate_recognition(probabilities, truth_table(truths, label_set.labels))
    groups = np.arange(len(keys))
    tops = with_intervals(recognition.hits.astype(float), groups, seed)
    figures = {f"top-{top}": _percent(i) for top, i in zip(TOPS, tops, strict=True)}
    figures["mean over labels"] = f"{100 * recognition.mean_per_label:.2f}"
    print(f"{data_set.name}, split {split}: {len(keys)} motions, {len(label_set.labels)} labels")
    print(summary(figures, label_set.labels, recognition))

    target = model.run.root / "zero_shot" / f"{label_set.name}_{split}"
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :RANKED]
    motions_json = [
        {
            "key": key,
            "truth": sorted(truth),
            "ranked": {label_set.labels[i]: round(float(p[i]), 4) for i in ranks},
        }
        for key, truth, p, ranks in zip(keys, truths, probabilities, order, strict=True)
    ]
    result: dict[str, Any] = {
        "data": data_set.name,
        "labels": label_set.labels,
        "figures": figures,
        "per_label": dict(zip(label_set.labels, recognition.per_label.tolist(), strict=True)),
        "confusion": recognition.confusion,
        "motions": motions_json,
    }
    write_json(target.with_suffix(".json"), result)
    title = f"{label_set.name}, {data_set.name} {split}: top-1 {figures['top-1']}"
    draw_confusion(target.with_suffix(".png"), recognition.confusion, label_set.labels, title)
    log.info("wrote %s.json and .png", target)


def _percent(interval: Interval) -> str:
    return f"{100 * interval.value:.2f} [{100 * interval.low:.2f}, {100 * interval.high:.2f}]"


def _parts(
    data: TextMotionData, split: str, labels: LabelSet
) -> tuple[list[str], list[tuple[Path, Caption]], list[frozenset[str]]]:
    """Keys, files with the part to recognize, and true labels of the motions that have some."""
    keys, parts, truths = [], [], []
    annotations = data.present(split)
    for annotation in annotations:
        for part, some in labels.parts(annotation):
            keys.append(annotation.key)
            parts.append((data.motion_file(annotation.path), part))
            truths.append(some)
    if not keys:
        raise InputError(
            f"none of {len(annotations)} motions of {data.name!r}, split {split!r}, has a label of "
            f"labels={labels.name}; give the data set that they belong to as data=NAME"
        )
    return keys, parts, truths


def _encode(
    model: Model, data: TextMotionData, parts: list[tuple[Path, Caption]]
) -> Float[Tensor, "motions dim"]:
    latents = []
    for start in each(range(0, len(parts), MOTIONS_AT_ONCE), "encode", "batches"):
        motions = []
        for file, part in parts[start : start + MOTIONS_AT_ONCE]:
            features = read_features(file)
            begin, end = frames_of(part, len(features))
            motions.append(features[min(begin, len(features) - 1) : max(end, begin + 1)])
        latents.append(model.encode_motions(motions, check=False).cpu())
    return torch.cat(latents)
