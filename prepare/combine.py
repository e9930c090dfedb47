"""Several data sets as one to train on: see configs/combine.yaml."""

from pathlib import Path

import hydra
from omegaconf import DictConfig

from tmr.commands.cli import one_line_errors
from tmr.commands.combine import combine_data_sets


@one_line_errors
@hydra.main(config_path="../configs", config_name="combine", version_base="1.3")
def main(cfg: DictConfig) -> None:
    """Write the combined annotations and splits."""
    names = [cfg.sets] if isinstance(cfg.sets, str) else list(cfg.sets)
    combine_data_sets(Path(cfg.root), names, cfg.name, cfg.allowed, cfg.overwrite)


if __name__ == "__main__":
    main()
