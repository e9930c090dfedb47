"""The motions of a folder, a library or a data set that are most like a motion."""

from collections.abc import Mapping
from typing import Any

from tmr.api import load
from tmr.commands.found import check_output, show
from tmr.commands.library import filter_of, find, latent_of, library_of, split_of


def motion_to_motion(
    run_dir: str,
    npy: str | None,
    start: float | int | None,
    end: float | int | None,
    key: str | None,
    folder: str | None,
    library: str | None,
    split: str | None,
    windows: float | int | None,
    top: int,
    where: str | None,
    mirrored: bool,
    output: str | None,
    ckpt: str,
    device: str,
    data: Mapping[str, Any] | None = None,
    **reading: Any,
) -> None:
    """Print the motions that are most like a motion: rank, score, file, seconds and frames."""
    check_output(output)
    split = split_of(split, folder, library)
    wanted = filter_of(where, split, 0, windows)
    model = load(run_dir, device, ckpt)
    searched = library_of(model, folder, library, data, split, windows, reading)
    latent = latent_of(model, searched, npy, key, start, end, reading)
    without = [] if key is None else [key]
    found = find(searched, latent, top, wanted, windows, mirrored=mirrored, exclude=without)
    show(str(key or npy), found, output)
