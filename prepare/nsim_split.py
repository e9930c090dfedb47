"""The split of dissimilar captions: see configs/nsim_split.yaml."""

import hydra
from omegaconf import DictConfig

from tmr.commands.cli import one_line_errors
from tmr.commands.nsim_split import nsim_split
from tmr.device import choose_device
from tmr.runs.build import data_of, embeddings_of


@one_line_errors
@hydra.main(config_path="../configs", config_name="nsim_split", version_base="1.3")
def main(cfg: DictConfig) -> None:
    """Choose and write the keys."""
    data = data_of(cfg)
    embeddings = embeddings_of(cfg, data, choose_device(cfg.device))
    nsim_split(data, embeddings, cfg.split, cfg.size, cfg.output, cfg.overwrite)


if __name__ == "__main__":
    main()
