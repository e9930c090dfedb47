"""A release of captions to annotations and splits: see configs/annotations.yaml."""

from pathlib import Path

import hydra
from omegaconf import DictConfig, OmegaConf

from tmr.commands.annotations import Options, build_annotations
from tmr.commands.cli import one_line_errors
from tmr.runs.build import data_of


@one_line_errors
@hydra.main(config_path="../configs", config_name="annotations", version_base="1.3")
def main(cfg: DictConfig) -> None:
    """Write the annotations and splits of a data set."""
    options = Options(**OmegaConf.to_container(cfg.options))  # type: ignore[arg-type]
    build_annotations(data_of(cfg), Path(cfg.release), options, cfg.format, cfg.overwrite)


if __name__ == "__main__":
    main()
