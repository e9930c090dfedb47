"""Find where in a motion or a library a sentence happens: `python localize.py --help`."""

import hydra
from omegaconf import DictConfig

from tmr.commands.cli import one_line_errors
from tmr.commands.literal import as_typed


@as_typed
@one_line_errors
@hydra.main(config_path="configs/inference", config_name="localize", version_base="1.3")
def main(cfg: DictConfig) -> None:
    """Print, write and draw the best segments."""
    from tmr.commands.localize import localize  # noqa: PLC0415  help pages need not wait for torch

    localize(cfg)


if __name__ == "__main__":
    main()
