"""Recognize actions by sentences that stand for labels: `python zero_shot.py --help`."""

import hydra
from omegaconf import DictConfig

from tmr.commands.cli import one_line_errors


@one_line_errors
@hydra.main(config_path="configs", config_name="zero_shot", version_base="1.3")
def main(cfg: DictConfig) -> None:
    """Print, write and draw the figures."""
    from tmr.commands.zero_shot import zero_shot  # noqa: PLC0415  help pages need not wait for torch

    zero_shot(cfg)


if __name__ == "__main__":
    main()
