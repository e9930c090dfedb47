"""Actions recognized by sentences, on a data set with labels."""

import logging
from collections.abc import Mapping
from typing import Any

from tmr.api import load
from tmr.io import write_json
from tmr.model import temperature_of
from tmr.runs.build import data_of
from tmr.zero_shot import LabelSet, draw_confusion, labeled_motions, recognize, summary

log = logging.getLogger(__name__)


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
    motions = labeled_motions(data_set, split, label_set)
    temperature = temperature or temperature_of(model.network)
    found = recognize(model, motions, label_set, temperature)
    figures, recognition = found.figures(seed), found.recognition
    print(f"{data_set.name}, split {split}: {len(motions)} motions, {len(found.labels)} labels")
    print(summary(figures, found.labels, recognition))

    target = model.run.root / "zero_shot" / f"{label_set.name}_{split}"
    result: dict[str, Any] = {
        "data": data_set.name,
        "labels": found.labels,
        "figures": figures,
        "per_label": dict(zip(found.labels, recognition.per_label.tolist(), strict=True)),
        "confusion": recognition.confusion,
        "motions": found.rankings(),
    }
    write_json(target.with_suffix(".json"), result)
    title = f"{label_set.name}, {data_set.name} {split}: top-1 {figures['top-1']}"
    draw_confusion(target.with_suffix(".png"), recognition.confusion, found.labels, title)
    log.info("wrote %s.json and .png", target)
