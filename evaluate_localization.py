"""Measure localisation: `python evaluate_localization.py --help`."""

import hydra
from omegaconf import DictConfig

from tmr.run.command import one_line_errors
from tmr.run.evaluate_localization import evaluate_localization


@one_line_errors
@hydra.main(config_path="configs", config_name="evaluate_localization", version_base="1.3")
def main(cfg: DictConfig) -> None:
    """Print and write the figures."""
    evaluate_localization(cfg)


if __name__ == "__main__":
    main()
