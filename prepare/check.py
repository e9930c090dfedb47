"""Whether a data set is ready: see configs/check.yaml."""

import sys
from pathlib import Path

import hydra
from omegaconf import DictConfig

from tmr.commands.check import check
from tmr.commands.cli import one_line_errors
from tmr.runs.build import data_of, embeddings_of

NOT_READY = 1


@one_line_errors
@hydra.main(config_path="../configs", config_name="check", version_base="1.3")
def main(cfg: DictConfig) -> None:
    """Report, draw, and exit with code 1 when something is missing."""
    data = data_of(cfg)
    sheet = Path(cfg.sheet) if cfg.sheet else None
    if check(data, embeddings_of(cfg, data), sheet, cfg.clips).problems:
        sys.exit(NOT_READY)


if __name__ == "__main__":
    main()
