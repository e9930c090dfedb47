"""Train from a config into a run folder."""

import logging
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from tmr.errors import InputError
from tmr.run.command import setup
from tmr.run.folder import RunDir
from tmr.run.objects import data_of, device_of, embeddings_of, model_of
from tmr.training import fit

log = logging.getLogger(__name__)


def train(cfg: DictConfig) -> float:
    """Train, and return the mean validation recall of the last epoch, for sweeps.

    Everything that can be missing is looked for before the run folder is made.
    """
    config, resume_from = _resumed(cfg) if cfg.resume_dir else (_plain(cfg), None)
    run = RunDir(Path(config["run_dir"]))
    if resume_from is None and run.checkpoints.is_dir():
        raise InputError(
            f"{run.root} holds a trained run already; continue it with resume_dir={run.root}, "
            "or choose another folder with run_dir=..."
        )
    setup(config["seed"])
    data = data_of(config)
    normalizer = run.normalizer(data) if resume_from else data.normalizer()
    embeddings = embeddings_of(config, data, device=device_of("auto"))
    datasets = [data.split(split, embeddings, normalizer) for split in ("train", "val")]
    log.info("%s: %d training, %d validation motions", data.name, *map(len, datasets))
    model = model_of(config)
    run.create(config, normalizer)
    figures = fit(
        model,
        *datasets,
        run_dir=run.root,
        lr=config["lr"],
        batch_size=config["batch_size"],
        pool=config["pool"],
        seed=config["seed"],
        trainer=config["trainer"],
        resume_from=resume_from,
    )
    log.info("done; next: python extract.py run_dir=%s", run.root)
    return figures["val/recall"]


def _plain(cfg: DictConfig) -> dict[str, Any]:
    plain = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def _resumed(cfg: DictConfig) -> tuple[dict[str, Any], Path]:
    """The run's own config with the command line's plain options on top, and its checkpoint."""
    run = RunDir(Path(cfg.resume_dir))
    config = OmegaConf.create(run.read_config())
    overrides = [o for o in HydraConfig.get().overrides.task if not o.startswith("resume_dir=")]
    groups = [o for o in overrides if o.partition("=")[0] in ("data", "text", "model", "trainer")]
    if groups:
        raise InputError(
            f"resume_dir continues a run with its own config; leave out {' '.join(groups)}"
        )
    merged = OmegaConf.merge(config, OmegaConf.from_dotlist([o.lstrip("+") for o in overrides]))
    assert isinstance(merged, DictConfig)
    checkpoint = run.checkpoints / "last.ckpt"
    if not checkpoint.is_file():
        raise InputError(f"nothing to resume: no checkpoint at {checkpoint}; leave out resume_dir")
    return _plain(merged) | {"run_dir": str(run.root)}, checkpoint
