"""Train TMR or TEMOS: `python train.py --help`."""

import hydra
from omegaconf import DictConfig

from tmr.commands.cli import one_line_errors


@one_line_errors
@hydra.main(config_path="configs", config_name="train", version_base="1.3")
def main(cfg: DictConfig) -> float:
    """Train; the mean validation recall goes back to Hydra's sweepers."""
    from tmr.commands.train import train  # noqa: PLC0415  help pages need not wait for torch

    return train(cfg)


if __name__ == "__main__":
    main()
