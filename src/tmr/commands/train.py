"""Train from a config into a run folder."""

import logging
import math
import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from tmr.commands.cli import setup
from tmr.errors import InputError
from tmr.io import remove_leftovers
from tmr.runs.build import data_of, device_of, embeddings_of, model_of
from tmr.runs.folder import RunDir
from tmr.training import fit, process_rank

log = logging.getLogger(__name__)


def train(cfg: DictConfig) -> float:
    """Train, and return the mean validation recall of the last epoch, for sweeps.

    Everything that can be missing is looked for before the run folder is made. Of several processes
    that train together, the first one makes it and writes all that is in it.
    """
    config, resumed = (_resumed(cfg), True) if cfg.resume_dir else (_plain(cfg), False)
    run = RunDir(Path(config["run_dir"]))
    trained = sorted(run.checkpoints.glob("*.ckpt"))
    if trained and not resumed and not requeued():
        raise InputError(
            f"{run.root} holds a trained run already; continue it with resume_dir={run.root}, "
            "or choose another folder with run_dir=..."
        )
    if process_rank() > 0:
        logging.getLogger("tmr").setLevel(logging.ERROR)  # the first one tells
    setup(config["seed"])
    data = data_of(config)
    normalizer = run.normalizer(data) if resumed else data.normalizer()
    embeddings = embeddings_of(config, data, device=device_of("auto"))
    store = data.store()
    datasets = [data.split(split, embeddings, normalizer, store) for split in ("train", "val")]
    log.info("%s: %d training, %d validation motions", data.name, *map(len, datasets))
    model = model_of(config)
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
            data_on_device=config["data_on_device"],
            resume_from=_checkpoint(run),
        )
    log.info("done; next: python extract.py run_dir=%s", run.root)
    return figures.get("val/recall", math.nan)


def requeued() -> bool:
    """Whether SLURM started this job before: then it goes on in the folder that it made."""
    return os.environ.get("SLURM_RESTART_COUNT", "0") != "0"


def _checkpoint(run: RunDir) -> Path | None:
    """The checkpoint to go on from; None when the run was stopped before it wrote one."""
    last = run.checkpoints / "last.ckpt"
    if last.is_file():
        return last
    if run.checkpoints.is_dir():
        log.info("no checkpoint in %s yet: training starts from the beginning", run.checkpoints)
    return None


def _plain(cfg: DictConfig) -> dict[str, Any]:
    plain = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def _resumed(cfg: DictConfig) -> dict[str, Any]:
    """The run's own config with the command line's plain options on top."""
    run = RunDir(Path(cfg.resume_dir))
    # Options that older runs do not have.
    defaults = {
        "checkpoint_minutes": cfg.checkpoint_minutes,
        "decay": 0.0,
        "data_on_device": cfg.data_on_device,
    }
    config = OmegaConf.create(defaults | run.read_config())
    overrides = [o for o in HydraConfig.get().overrides.task if not o.startswith("resume_dir=")]
    groups = [o for o in overrides if o.partition("=")[0] in ("data", "text", "model", "trainer")]
    if groups:
        raise InputError(
            f"resume_dir continues a run with its own config; leave out {' '.join(groups)}"
        )
    merged = OmegaConf.merge(config, OmegaConf.from_dotlist([o.lstrip("+") for o in overrides]))
    assert isinstance(merged, DictConfig)
    return _plain(merged) | {"run_dir": str(run.root)}
