"""Search the motions of a run's data set by a sentence."""

from tmr.api import load
from tmr.runs.build import data_of
from tmr.runs.libraries import open_library
from tmr.search.filters import quoted


def search(
    run_dir: str,
    text: str,
    top: int,
    split: str,
    min_seconds: float | int,
    ckpt: str,
    device: str,
) -> None:
    """Print the motions of a split that fit a sentence or query best, with score and caption.

    The first search of a split encodes it; the latents are kept in ``RUN_DIR/libraries``.
    """
    model = load(run_dir, device, ckpt)
    library = open_library(model.run, ckpt, model, data_of(model.config), [split])
    where = f"split = {quoted(split)} and length >= {min_seconds}"
    print(text if '"' in text else f'"{text}"')
    for hit in library.search(text, top, where):
        print(f"  {hit.score:.3f}  {hit.entry.key:<10} {hit.entry.captions[0]}")
