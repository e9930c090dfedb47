"""Motion files to joints of the 22-joint skeleton: see configs/import_motions.yaml."""

from pathlib import Path

import hydra
from omegaconf import DictConfig

from tmr.commands.cli import one_line_errors
from tmr.motion.conventions import Overrides
from tmr.motion.preprocessing import import_folder


@one_line_errors
@hydra.main(config_path="../configs", config_name="import_motions", version_base="1.3")
def main(cfg: DictConfig) -> None:
    """Import every motion file below the source folder."""
    overrides = Overrides(cfg.profile, cfg.fps, cfg.unit, cfg.up, cfg.handedness, cfg.body_models)
    target = Path(cfg.base_folder, cfg.name)
    import_folder(cfg.source, target, overrides, cfg.processes, cfg.flat, cfg.overwrite)


if __name__ == "__main__":
    main()
