"""Evaluate with the weights of a run folder."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from omegaconf import DictConfig

from tmr.data import TextMotionData, TextMotionDataset
from tmr.data.annotations import has_split
from tmr.errors import InputError
from tmr.model import TEMOS
from tmr.retrieval import (
    PROTOCOLS,
    Encoded,
    Protocol,
    best_precision,
    encode_dataset,
    evaluate_all,
)
from tmr.retrieval.pictures import draw
from tmr.retrieval.report import Report
from tmr.run.folder import RunDir, environment
from tmr.run.objects import data_of, device_of, embeddings_of
from tmr.run.weights import load_model
from tmr.text import EmbeddingCache

log = logging.getLogger(__name__)


class Evaluation:
    """A run's model beside the data set that it was trained on."""

    def __init__(self, cfg: DictConfig) -> None:
        device = device_of(cfg.device)
        self.run = RunDir(Path(cfg.run_dir))
        config = self.run.read_config()
        self.model: TEMOS = load_model(self.run, cfg.ckpt, device)
        self.device = device
        self.data: TextMotionData = data_of(config)
        self.normalizer = self.run.normalizer(self.data)
        self.embeddings: EmbeddingCache = embeddings_of(config, self.data, device)
        self.batch_size: int = cfg.batch_size

    def encode(self, split: str) -> Encoded:
        """Latents of a split."""
        dataset = self.data.split(split, self.embeddings, self.normalizer)
        log.info("%s, split %s: %d motions", self.data.name, split, len(dataset))
        return encode_dataset(self.model, dataset, self.batch_size, progress=True)

    def splits_for(self, protocols: Mapping[str, Protocol], split: str) -> dict[str, str]:
        """The split that stands for each one that protocols ask for, where there is one.

        ``split`` takes the place of test; what belongs to test alone is then left out.
        """
        found = {}
        for asked in dict.fromkeys(protocol.split for protocol in protocols.values()):
            if asked == "test":
                found[asked] = split
            elif split == "test" and has_split(Path(self.data.annotations), asked):
                found[asked] = asked
            else:
                log.warning("no split %s to evaluate, its protocol is left out", asked)
        return found

    def encode_once(
        self, splits: Mapping[str, str], precision: str, every_caption: bool
    ) -> dict[str, Encoded]:
        """Latents of splits, given by name; a motion in several of them is encoded once."""
        present = {name: self.data.present(split) for name, split in splits.items()}
        distinct = {a.key: a for annotations in present.values() for a in annotations}
        dataset = TextMotionDataset(
            self.data, list(distinct.values()), self.embeddings, self.normalizer
        )
        log.info(
            "%s, split %s: %d motions, computed in %s",
            self.data.name, " and ".join(splits.values()), len(dataset), precision,
        )  # fmt: skip
        encoded = encode_dataset(
            self.model, dataset, self.batch_size, True, precision, every_caption
        )
        return {
            name: encoded.only(a.key for a in annotations) for name, annotations in present.items()
        }


def retrieval(cfg: DictConfig) -> None:
    """Print the protocols' table and write figures, ranks and pictures into the run folder.

    YAML files go to ``contrastive_metrics``, everything else to ``retrieval_report``. With another
    ``split`` than test, that split takes its place, and the files go to folders of its name; the
    nsim protocol has its own split and is then left out.
    """
    protocols = protocols_of(cfg.protocols)
    evaluation = Evaluation(cfg)
    precision = best_precision(evaluation.device) if cfg.precision == "auto" else cfg.precision
    encoded = evaluation.encode_once(
        evaluation.splits_for(protocols, cfg.split),
        precision,
        every_caption=any(protocol.every_caption for protocol in protocols.values()),
    )
    outcomes = evaluate_all(encoded.get, protocols)
    report = Report(outcomes)
    print(report.table())
    part = "" if cfg.split == "test" else cfg.split
    folder = evaluation.run.retrieval_report / part
    about = {
        "run_dir": cfg.run_dir,
        "ckpt": cfg.ckpt,
        "data": evaluation.data.name,
        "split": cfg.split,
        "precision": precision,
        "environment": environment(),
    }
    paths = report.write(evaluation.run.contrastive_metrics / part, folder, about)
    if cfg.pictures:
        paths += draw(folder, outcomes, encoded)
    for path in paths:
        log.info("wrote %s", path)


def protocols_of(names: Sequence[str] | None) -> dict[str, Protocol]:
    """The protocols with these names, all by default.

    Raises:
        InputError: no such protocol.
    """
    unknown = [name for name in names or () if name not in PROTOCOLS]
    if unknown:
        raise InputError(f"no protocol {unknown[0]!r}; there are {', '.join(PROTOCOLS)}")
    return {name: PROTOCOLS[name] for name in names or PROTOCOLS}
