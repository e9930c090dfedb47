"""Token states and a sentence vector of every caption: see configs/text_embeddings.yaml."""

from pathlib import Path

import hydra
from hydra.utils import instantiate
from omegaconf import DictConfig

from tmr.commands.cli import one_line_errors
from tmr.commands.text_embeddings import embed_captions


@one_line_errors
@hydra.main(config_path="../configs", config_name="text_embeddings", version_base="1.3")
def main(cfg: DictConfig) -> None:
    """Embed the captions that are not in the cache yet."""
    model = instantiate(cfg.text, device=cfg.device)
    embed_captions(Path(cfg.data.annotations), model, cfg.progress)


if __name__ == "__main__":
    main()
