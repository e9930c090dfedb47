"""Evaluate a run folder by the retrieval protocols: `python retrieval.py --help`."""

import hydra
from omegaconf import DictConfig

from tmr.commands.cli import one_line_errors


@one_line_errors
@hydra.main(config_path="configs", config_name="retrieval", version_base="1.3")
def main(cfg: DictConfig) -> None:
    """Print and write the figures."""
    from tmr.commands.retrieval import retrieval  # noqa: PLC0415  help pages need not wait for torch

    retrieval(cfg)


if __name__ == "__main__":
    main()
