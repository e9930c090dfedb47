"""Recognise actions by sentences that stand for labels: `python zero_shot.py --help`."""

import hydra
from omegaconf import DictConfig

from tmr.run.command import one_line_errors
from tmr.run.zero_shot import zero_shot


@one_line_errors
@hydra.main(config_path="configs", config_name="zero_shot", version_base="1.3")
def main(cfg: DictConfig) -> None:
    """Print, write and draw the figures."""
    zero_shot(cfg)


if __name__ == "__main__":
    main()
