"""The motions of a split that are most like a motion."""

from typing import Any

from tmr.api import load
from tmr.commands.library import latent_of
from tmr.runs.build import data_of
from tmr.runs.libraries import open_library
from tmr.search.filters import quoted


def motion_to_motion(
    run_dir: str,
    npy: str | None,
    start: float | int | None,
    end: float | int | None,
    key: str | None,
    split: str,
    top: int,
    ckpt: str,
    device: str,
    **reading: Any,
) -> None:
    """Print the motions of a split that are most like a motion, with score and caption."""
    model = load(run_dir, device, ckpt)
    library = open_library(model.run, ckpt, model, data_of(model.config), [split])
    latent = latent_of(library, npy, key, start, end, reading)
    without = [] if key is None else [key]
    print(key or npy)
    for hit in library.search(latent, top, f"split = {quoted(split)}", exclude=without):
        print(f"  {hit.score:.3f}  {hit.entry.key:<10} {hit.entry.captions[0]}")
