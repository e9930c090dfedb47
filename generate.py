"""Motion from text: `python generate.py --help`."""

import hydra
from omegaconf import DictConfig

from tmr.commands.cli import one_line_errors
from tmr.commands.literal import as_typed


@as_typed
@one_line_errors
@hydra.main(config_path="configs/inference", config_name="generate", version_base="1.3")
def main(cfg: DictConfig) -> None:
    """Write the motions and their report."""
    from tmr.commands.generate import generate  # noqa: PLC0415  help pages need not wait for torch

    generate(cfg)


if __name__ == "__main__":
    main()
