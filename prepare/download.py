"""Published weights, annotations and statistics: see configs/download.yaml."""

from dataclasses import replace

import hydra
from omegaconf import DictConfig, OmegaConf

from tmr.commands.cli import one_line_errors
from tmr.commands.download import Item, download
from tmr.errors import InputError


@one_line_errors
@hydra.main(config_path="../configs", config_name="download", version_base="1.3")
def main(cfg: DictConfig) -> None:
    """Fetch one of the published items, or the same from another address."""
    items = cfg["items"]  # DictConfig has a method of this name
    if cfg.what not in items:
        raise InputError(f"what={cfg.what}: expected one of {', '.join(items)}")
    item = Item(**OmegaConf.to_container(items[cfg.what], resolve=True))  # type: ignore[arg-type]
    download(replace(item, url=cfg.url or item.url, md5=cfg.md5 or item.md5))


if __name__ == "__main__":
    main()
