"""The latent of a motion file: `python encode_motion.py --help`."""

import hydra
from omegaconf import DictConfig

from tmr.commands.cli import one_line_errors
from tmr.commands.literal import as_typed


@as_typed
@one_line_errors
@hydra.main(config_path="configs", config_name="encode_motion", version_base="1.3")
def main(cfg: DictConfig) -> None:
    """Write the latent."""
    from tmr.commands.inference import encode_motion  # noqa: PLC0415  help pages need not wait for torch

    encode_motion(cfg)


if __name__ == "__main__":
    main()
