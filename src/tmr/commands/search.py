"""Search the motions of a run's data set by a sentence."""

import logging

from tmr.commands.library import library_of
from tmr.search.approximate import FaissIndex

log = logging.getLogger(__name__)


def search(
    run_dir: str,
    text: str,
    top: int,
    split: str,
    min_seconds: float | int,
    index: str,
    ckpt: str,
    device: str,
) -> None:
    """Print the motions of a split that fit a sentence or query best, with score and caption.

    The first search of a split encodes it; the latents are kept in ``RUN_DIR/galleries``.
    """
    library = library_of(run_dir, ckpt, device, split)
    gallery = library.gallery
    log.info("%s: %d motions in %s", library.source.name, len(gallery), library.folder)
    if index == "faiss":
        library.index = FaissIndex.of(gallery, library.folder / f"{library.source.name}.faiss")
    print(text if '"' in text else f'"{text}"')
    for hit in library.search(text, top, split, min_seconds):
        print(f"  {hit.score:.3f}  {hit.item.key:<10} {hit.item.captions[0]}")
