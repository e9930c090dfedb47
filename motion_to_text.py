"""Find the captions that fit a motion best. `python motion_to_text.py --help`."""

import hydra
from omegaconf import DictConfig

from tmr.commands.cli import one_line_errors
from tmr.commands.literal import as_typed


@as_typed
@one_line_errors
@hydra.main(config_path="configs/inference", config_name="motion_to_text", version_base="1.3")
def main(cfg: DictConfig) -> None:
    """Print the nearest captions."""
    from tmr.commands.motion_search import motion_to_text  # noqa: PLC0415  help pages need not wait for torch

    motion_to_text(cfg)


if __name__ == "__main__":
    main()
