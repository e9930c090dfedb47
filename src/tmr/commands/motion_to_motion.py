"""The motions of a split that are most like a motion."""

from typing import Any

from tmr.commands.library import latent_of, library_of


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
    library = library_of(run_dir, ckpt, device, split)
    latent = latent_of(library, npy, key, start, end, reading)
    without = [] if key is None else [key]
    print(key or npy)
    for hit in library.search(latent, top, split, without=without):
        print(f"  {hit.score:.3f}  {hit.item.key:<10} {hit.item.captions[0]}")
