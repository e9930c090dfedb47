"""Joints to features and mirrored features: see configs/compute_guoh3dfeats.yaml."""

import hydra
from omegaconf import DictConfig

from tmr.commands.cli import one_line_errors
from tmr.motion.preprocessing import compute_features


@one_line_errors
@hydra.main(config_path="../configs", config_name="compute_guoh3dfeats", version_base="1.3")
def main(cfg: DictConfig) -> None:
    """Compute the features of every joint file below the base folder."""
    compute_features(
        cfg.base_folder,
        cfg.output_folder,
        cfg.name,
        cfg.x_negated,
        cfg.processes,
        cfg.overwrite,
    )


if __name__ == "__main__":
    main()
