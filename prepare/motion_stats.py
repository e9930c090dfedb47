"""Feature statistics for normalization: `python -m prepare.motion_stats --help`."""

import hydra
from omegaconf import DictConfig

from tmr.commands.cli import one_line_errors


@one_line_errors
@hydra.main(config_path="../configs", config_name="motion_stats", version_base="1.3")
def main(cfg: DictConfig) -> None:
    """Write mean and standard deviation."""
    from tmr.commands.motion_stats import motion_stats  # noqa: PLC0415  help pages need not wait for torch

    motion_stats(cfg)


if __name__ == "__main__":
    main()
