"""Measure localization: `python evaluate_localization.py --help`."""

import hydra
from omegaconf import DictConfig

from tmr.commands.cli import one_line_errors


@one_line_errors
@hydra.main(config_path="configs", config_name="evaluate_localization", version_base="1.3")
def main(cfg: DictConfig) -> None:
    """Print and write the figures."""
    from tmr.commands.evaluate_localization import evaluate_localization  # noqa: PLC0415  help pages need not wait for torch

    evaluate_localization(cfg)


if __name__ == "__main__":
    main()
