"""Evaluate the weights of a run folder by the retrieval protocols."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tmr.data import TextMotionData, TextMotionDataset
from tmr.data.annotations import has_split
from tmr.device import choose_device, fastest_precision
from tmr.errors import InputError
from tmr.retrieval import (
    PROTOCOLS,
    Encoded,
    Protocol,
    encode_dataset,
    evaluate_all,
)
from tmr.retrieval.plots import draw
from tmr.retrieval.report import Report
from tmr.retrieval.sides import side_preferences
from tmr.runs.build import data_of, embeddings_of
from tmr.runs.folder import RunDir, environment
from tmr.runs.hub import run_at
from tmr.runs.weights import load_model

log = logging.getLogger(__name__)

DEFAULT_THRESHOLD = "threshold_0.95"
THRESHOLD = 0.95


def retrieval(
    run_dir: str,
    split: str,
    protocols: str | Sequence[str] | None,
    precision: str,
    batch_size: int,
    pictures: bool,
    threshold: float | int,
    ckpt: str,
    device: str,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Print the protocols' table and write figures, ranks and pictures into the run folder.

    YAML files go to ``contrastive_metrics``, everything else to ``retrieval_report``. With another
    ``split`` than test, that split takes its place, and the files go to folders of its name; the
    nsim protocol has its own split and is then left out. Another data set than the run's own has
    folders of its name above those.
    """
    chosen = protocols_of([protocols] if isinstance(protocols, str) else protocols, threshold)
    run, device = run_at(run_dir), choose_device(device)
    precision = fastest_precision(device) if precision == "auto" else precision
    own = data_of(run.read_config())
    data_set = own if data is None else data_of({"data": data})
    splits = splits_for(chosen, split, data_set)
    every_caption = any(protocol.every_caption for protocol in chosen.values())
    encoded = encode_splits(
        run, ckpt, data_set, splits, device, precision, batch_size, every_caption
    )
    outcomes = evaluate_all(encoded.get, chosen)
    if not outcomes:
        raise InputError(
            f"split {split!r} of {data_set.name!r} has too few motions for {', '.join(chosen)}"
        )
    report = Report(outcomes, chosen, sides=side_preferences(next(iter(encoded.values()))))
    print(report.table())
    part = Path(
        "" if data_set.name == own.name else data_set.name, "" if split == "test" else split
    )
    about: dict[str, Any] = {
        "run_dir": run_dir,
        "ckpt": ckpt,
        "data": data_set.name,
        "split": split,
        "precision": precision,
        "environment": environment(),
    }
    folder = run.retrieval_report / part
    paths = report.write(run.contrastive_metrics / part, folder, about)
    if pictures:
        paths += draw(folder, outcomes, encoded)
    for path in paths:
        log.info("wrote %s", path)


def protocols_of(
    names: Sequence[str] | None, threshold: float | int = THRESHOLD
) -> dict[str, Protocol]:
    """The protocols with these names, all by default; ``threshold`` is that of the second.

    Raises:
        InputError: no such protocol.
    """
    unknown = [name for name in names or () if name not in PROTOCOLS]
    if unknown:
        raise InputError(f"no protocol {unknown[0]!r}; there are {', '.join(PROTOCOLS)}")
    chosen = {name: PROTOCOLS[name] for name in names or PROTOCOLS}
    other = {f"threshold_{threshold:g}": Protocol(same_text_above=float(threshold))}
    found: dict[str, Protocol] = {}
    for name, protocol in chosen.items():
        found |= other if name == DEFAULT_THRESHOLD else {name: protocol}
    return found


def splits_for(
    protocols: Mapping[str, Protocol], split: str, data: TextMotionData
) -> dict[str, str]:
    """The split that stands for each one that protocols ask for, where there is one.

    ``split`` takes the place of test; what belongs to test alone is then left out.

    Raises:
        InputError: nothing is left.
    """
    found = {}
    for asked in dict.fromkeys(protocol.split for protocol in protocols.values()):
        if asked == "test":
            found[asked] = split
        elif split == "test" and has_split(Path(data.annotations), asked):
            found[asked] = asked
        else:
            log.warning("no split %s to evaluate, its protocol is left out", asked)
    if not found:
        raise InputError(
            f"{data.name!r} has no split for {', '.join(protocols)} with split={split}"
        )
    return found


def encode_splits(
    run: RunDir,
    ckpt: str,
    data: TextMotionData,
    splits: Mapping[str, str],
    device: str,
    precision: str,
    batch_size: int,
    every_caption: bool,
) -> dict[str, Encoded]:
    """Latents of splits by the run's model, under the names that ``splits`` gives them.

    A motion in several of them is encoded once.
    """
    config = run.read_config()
    model = load_model(run, ckpt, device)
    present = {name: data.present(split) for name, split in splits.items()}
    distinct = {a.key: a for annotations in present.values() for a in annotations}
    embeddings = embeddings_of(config, data, device)
    dataset = TextMotionDataset(
        data, list(distinct.values()), embeddings, run.normalizer(data_of(config))
    )
    names = " and ".join(splits.values())
    log.info("%s, split %s: %d motions, in %s", data.name, names, len(dataset), precision)
    encoded = encode_dataset(model, dataset, batch_size, True, precision, every_caption)
    return {name: encoded.only(a.key for a in annotations) for name, annotations in present.items()}
