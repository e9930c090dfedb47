"""Mine a data set for duplicates, disagreements and clusters: `python mine_pairs.py --help`."""

import hydra
from omegaconf import DictConfig

from tmr.commands.cli import one_line_errors


@one_line_errors
@hydra.main(config_path="configs", config_name="mine_pairs", version_base="1.3")
def main(cfg: DictConfig) -> None:
    """Print and write what was found."""
    from tmr.commands.mine_pairs import mine_pairs  # noqa: PLC0415  help pages need not wait for torch

    mine_pairs(cfg)


if __name__ == "__main__":
    main()
