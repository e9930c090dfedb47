"""The library of a command's data set, with a progress bar while it is encoded."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor
from tqdm import tqdm

from tmr.api import load
from tmr.commands.inputs import read_features
from tmr.errors import InputError
from tmr.runs.build import data_of
from tmr.search.library import Library


def library_of(
    run_dir: str, ckpt: str, device: str, split: str, data: Mapping[str, Any] | None = None
) -> Library:
    """The motions of ``split`` in ``data``, or the run's own data set, ready to be searched."""
    model = load(run_dir, device, ckpt)
    data_set = None if data is None else data_of({"data": data})
    with tqdm(desc="encode", unit=" motions", disable=None) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        library = Library.of_data(model, data_set, splits=[split], progress=show)
        _ = library.gallery  # made now, under the bar
    return library


def latent_of(
    library: Library,
    npy: str | None,
    key: str | None,
    start: float | int | None,
    end: float | int | None,
    reading: Mapping[str, Any],
) -> Tensor:
    """The latent of a motion file, or of the motion ``key`` of the library.

    Raises:
        InputError: both or neither are given, or there is no such motion.
    """
    if (npy is None) == (key is None):
        raise InputError("give either npy=FILE, a motion file, or key=KEY, one of the data set")
    if npy is not None:
        features = read_features(Path(npy), start, end, reading).numpy()
        return library.model.encode_motions([features])[0].cpu()
    gallery = library.gallery
    if key not in gallery.rows:
        raise InputError(f"no motion {key!r} in {library.source.name!r}")
    return gallery.latents[gallery.rows[key]]
