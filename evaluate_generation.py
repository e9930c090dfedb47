"""Measure generated motion: `python evaluate_generation.py --help`."""

import hydra
from omegaconf import DictConfig

from tmr.commands.cli import one_line_errors
from tmr.commands.literal import as_typed


@as_typed
@one_line_errors
@hydra.main(config_path="configs", config_name="evaluate_generation", version_base="1.3")
def main(cfg: DictConfig) -> None:
    """Print and write the figures."""
    from tmr.commands.evaluate_generation import evaluate_generation  # noqa: PLC0415  help pages need not wait for torch

    evaluate_generation(cfg)


if __name__ == "__main__":
    main()
