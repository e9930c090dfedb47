"""Scores of texts and motions: `python text_motion_sim.py --help`."""

import hydra
from omegaconf import DictConfig

from tmr.commands.cli import one_line_errors
from tmr.commands.literal import as_typed


@as_typed
@one_line_errors
@hydra.main(config_path="configs/inference", config_name="text_motion_sim", version_base="1.3")
def main(cfg: DictConfig) -> None:
    """Print the scores."""
    from tmr.commands.inference import text_motion_sim  # noqa: PLC0415  help pages need not wait for torch

    text_motion_sim(cfg)


if __name__ == "__main__":
    main()
