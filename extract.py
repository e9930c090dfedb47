"""Weights of a checkpoint, one file for each module: `python extract.py --help`."""

import logging
from pathlib import Path

import hydra
from omegaconf import DictConfig

from tmr.commands.cli import one_line_errors
from tmr.runs.folder import RunDir
from tmr.runs.weights import extract


@one_line_errors
@hydra.main(config_path="configs", config_name="extract", version_base="1.3")
def main(cfg: DictConfig) -> None:
    """Write RUN_DIR/<ckpt>_weights."""
    folder = extract(RunDir(Path(cfg.run_dir)), cfg.ckpt)
    logging.getLogger(__name__).info("wrote %s", folder)


if __name__ == "__main__":
    main()
