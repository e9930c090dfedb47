"""The embedded data set of procedural motions: see configs/synthesize.yaml."""

import logging
from pathlib import Path

import hydra
from omegaconf import DictConfig, OmegaConf

from tmr.commands.cli import one_line_errors
from tmr.synthetic.dataset import CorpusSize, synthesize

log = logging.getLogger(__name__)


@one_line_errors
@hydra.main(config_path="../configs", config_name="synthesize", version_base="1.3")
def main(cfg: DictConfig) -> None:
    """Write motions, annotations and splits, and say how many there are."""
    size = CorpusSize(**OmegaConf.to_container(cfg.size, resolve=True))  # type: ignore[arg-type]
    keys = synthesize(Path(cfg.root), size, cfg.seed, cfg.processes or -1)
    splits = ", ".join(f"{name} {count}" for name, count in keys.items())
    log.info("synthetic motions in %s, keys with mirrored copies: %s", cfg.root, splits)


if __name__ == "__main__":
    main()
