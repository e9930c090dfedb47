"""Search the motions of a run's data set from the command line."""

import logging

from omegaconf import DictConfig
from tqdm import tqdm

from tmr.api import load
from tmr.errors import InputError
from tmr.search.approximate import FaissIndex
from tmr.search.library import Library

log = logging.getLogger(__name__)

INDEXES = ("exact", "faiss")


def search(cfg: DictConfig) -> None:
    """Print the motions of a split that fit a sentence or query best, with score and caption.

    The first search of a split encodes it; the latents are kept in ``RUN_DIR/galleries``.

    Raises:
        InputError: an option that cannot be used.
    """
    if cfg.index not in INDEXES:
        raise InputError(f"index={cfg.index}: expected one of {', '.join(INDEXES)}")
    if cfg.top < 1:
        raise InputError(f"top={cfg.top}: expected at least 1")
    model = load(cfg.run_dir, cfg.device, cfg.ckpt)
    with tqdm(desc="encode", unit=" motions", disable=None) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        library = Library.of_data(model, splits=[cfg.split], progress=show)
        gallery = library.gallery
    log.info("%s: %d motions in %s", library.source.name, len(gallery), library.folder)
    if cfg.index == "faiss":
        library.index = FaissIndex.of(gallery, library.folder / f"{library.source.name}.faiss")
    text = str(cfg.text)
    hits = library.search(text, cfg.top, cfg.split, cfg.min_seconds)
    print(text if '"' in text else f'"{text}"')
    for hit in hits:
        print(f"  {hit.score:.3f}  {hit.item.key:<10} {hit.item.captions[0]}")
