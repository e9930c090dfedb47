"""Latents of texts: `python encode_text.py --help`."""

import hydra
from omegaconf import DictConfig

from tmr.commands.cli import one_line_errors
from tmr.commands.literal import as_typed


@as_typed
@one_line_errors
@hydra.main(config_path="configs/inference", config_name="encode_text", version_base="1.3")
def main(cfg: DictConfig) -> None:
    """Write the latents."""
    from tmr.commands.inference import encode_text  # noqa: PLC0415  help pages need not wait for torch

    encode_text(cfg)


if __name__ == "__main__":
    main()
