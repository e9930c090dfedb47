"""Train TMR or TEMOS from a config into a run folder."""

import copy
import logging
import math
import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any

from tmr.commands.cli import setup
from tmr.data import CaptionPool, TextMotionData
from tmr.device import choose_device
from tmr.errors import InputError
from tmr.io import remove_leftovers
from tmr.model import TEMOS
from tmr.runs.build import data_of, embeddings_of, model_of
from tmr.runs.folder import RunDir
from tmr.training import fit, process_rank

log = logging.getLogger(__name__)

GROUPS = ("data", "language_model", "model", "trainer", "logger", "augmentation", "experiment")
# Two batches an epoch, one epoch.
DEBUG = {"max_epochs": 1, "limit_train_batches": 2, "limit_val_batches": 2}


def train(resume_dir: str | None, overrides: Sequence[str], **config: Any) -> float:
    """Train, and return the mean validation recall of the last epoch, for sweeps.

    ``config`` is kept in the run folder, ``overrides`` is what of it was given on the command line.
    Everything that can be missing is looked for before the run folder is made. Of several processes
    that train together, the first one makes it and writes all that is in it.

    Raises:
        InputError: there is a trained run in the folder, the one to resume is none, or data or
            statistics are missing.
    """
    if resume_dir:
        config = _resumed(RunDir(Path(resume_dir)), config | {"resume_dir": resume_dir}, overrides)
    if config.pop("debug", False):
        config["trainer"] = config["trainer"] | DEBUG
    run = RunDir(Path(config["run_dir"]))
    trained = sorted(run.checkpoints.glob("*.ckpt"))
    if trained and not resume_dir and not requeued():
        raise InputError(
            f"{run.root} holds a trained run already; continue it with resume_dir={run.root}, "
            "or choose another folder with run_dir=..."
        )
    if process_rank() > 0:
        logging.getLogger("tmr").setLevel(logging.ERROR)  # the first one logs
    setup(config["seed"])
    data = data_of(config)
    data.annotations_of("train")  # asked for first: all else is made from them
    normalizer = run.normalizer(data) if resume_dir else data.normalizer()
    embeddings = embeddings_of(config, data, device=choose_device("auto"))
    store = data.store()
    datasets = [data.split(split, embeddings, normalizer, store) for split in ("train", "val")]
    model = model_of(config)
    pairs = _text_pairs(config, data, model)
    if config.get("compile"):
        model.compile_layers()
    with run.locked() if process_rank() == 0 else nullcontext():
        if process_rank() == 0:
            remove_leftovers(run.root, recursive=True)
            run.create(config, normalizer)
        figures = fit(
            model,
            *datasets,
            run_dir=run.root,
            lr=config["lr"],
            decay=config["decay"],
            batch_size=config["batch_size"],
            pool=config["pool"],
            seed=config["seed"],
            trainer=config["trainer"],
            checkpoint_minutes=config["checkpoint_minutes"],
            keep_every=config["keep_every"],
            logger=config["logger"],
            data_on_device=config["data_on_device"],
            resume_from=_checkpoint(run),
            augmentation=config.get("augmentation"),
            ema=config["ema"],
            text_pairs=pairs,
        )
    log.info("done; next: python extract.py run_dir=%s", run.root)
    return figures.get("val/recall", math.nan)


def requeued() -> bool:
    """Whether SLURM started this job before: it then resumes in the folder that it made."""
    return os.environ.get("SLURM_RESTART_COUNT", "0") != "0"


def _text_pairs(
    config: Mapping[str, Any], data: TextMotionData, model: TEMOS
) -> dict[str, CaptionPool] | None:
    """The captions that the config wants pairs of, or None.

    Raises:
        InputError: the model learns from pairs and the config names none, or the other way around.
    """
    folder = config.get("text_pairs")
    if bool(folder) != ("text_contrastive" in model.terms):
        raise InputError(
            f"found text_pairs={folder} and the model {model.name}, which does not learn from "
            "pairs of captions; leave out text_pairs, or choose model=contrastive_text_small"
            if folder
            else f"the model {model.name} learns from pairs of captions too (text_contrastive), "
            "and nothing says of which annotations; give them with text_pairs=FOLDER"
        )
    if not folder:
        return None
    other = replace(data, annotations=folder)
    embeddings = embeddings_of(config, other, device=choose_device("auto"))
    return {
        split: CaptionPool.of_split(Path(other.annotations), split, embeddings)
        for split in ("train", "val")
    }


def _checkpoint(run: RunDir) -> Path | None:
    """The checkpoint to resume from; None when the run was stopped before it wrote one."""
    last = run.checkpoints / "last.ckpt"
    if last.is_file():
        return last
    if run.checkpoints.is_dir():
        log.info("no checkpoint in %s yet: training starts from the beginning", run.checkpoints)
    return None


def _resumed(run: RunDir, composed: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """The run's own config with the command line's plain options on top."""
    # Options that older runs do not have.
    defaults = {"decay": 0.0, "augmentation": None, "ema": 0.0, "text_pairs": None} | {
        name: composed[name]
        for name in ("checkpoint_minutes", "data_on_device", "keep_every", "logger")
    }
    config = copy.deepcopy(defaults | run.read_config())
    given = [o.lstrip("+").partition("=")[0] for o in overrides]
    groups = [o for o, name in zip(overrides, given, strict=True) if name in GROUPS]
    if groups:
        raise InputError(
            f"resume_dir continues a run with its own config; leave out {' '.join(groups)}"
        )
    for name in given:
        *parents, last = name.split(".")
        part = reduce(lambda node, key: node.setdefault(key, {}), parents, config)
        part[last] = reduce(lambda node, key: node[key], [*parents, last], composed)
    return config | {"run_dir": str(run.root)}
