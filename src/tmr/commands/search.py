"""Search the motions of a run's data set from the command line."""

import logging

from omegaconf import DictConfig

from tmr.commands.library import library_of
from tmr.errors import InputError
from tmr.search.filters import quoted

log = logging.getLogger(__name__)


def search(cfg: DictConfig) -> None:
    """Print the motions of a split that fit a sentence or query best, with score and caption.

    The first search of a split encodes it; the latents are kept in ``RUN_DIR/libraries``.

    Raises:
        InputError: an option that cannot be used.
    """
    if cfg.top < 1:
        raise InputError(f"top={cfg.top}: expected at least 1")
    library = library_of(cfg)
    where = f"split = {quoted(cfg.split)} and length >= {cfg.min_seconds}"
    text = str(cfg.text)
    hits = library.search(text, cfg.top, where)
    print(text if '"' in text else f'"{text}"')
    for hit in hits:
        print(f"  {hit.score:.3f}  {hit.entry.key:<10} {hit.entry.captions[0]}")
