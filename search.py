"""Search a split by a sentence: `python search.py --help`."""

import hydra
from omegaconf import DictConfig

from tmr.commands.cli import one_line_errors


@one_line_errors
@hydra.main(config_path="configs/inference", config_name="search", version_base="1.3")
def main(cfg: DictConfig) -> None:
    """Print the best motions."""
    from tmr.commands.search import search  # noqa: PLC0415  help pages need not wait for torch

    search(cfg)


if __name__ == "__main__":
    main()
