"""Convert a gallery of version 0.1 to a library."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tmr.api import load
from tmr.progress import Progress
from tmr.runs.build import data_of
from tmr.runs.libraries import library_folder
from tmr.search.gallery import take_over
from tmr.search.library import Library


def convert_gallery(
    run_dir: str,
    gallery: str | None,
    ckpt: str,
    device: str,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Take the latents of a gallery into the library of its data set, and encode what is missing.

    Raises:
        InputError: no gallery there, it is damaged, or another model made it.
    """
    model = load(run_dir, device, ckpt)
    data_set = data_of({"data": data} if data else model.config)
    name = f"{data_set.name}_motions.safetensors"
    path = Path(gallery) if gallery else model.run.root / "galleries" / ckpt / name
    kept = library_folder(model.run, ckpt, data_set.name)
    library = Library.of_data(data_set, model, kept, refresh=False)
    taken = take_over(path, library)
    with Progress("encode", "motions") as progress:
        library.refresh(progress)
    print(f"{kept or 'not kept'}: {len(library):,} motions, {taken:,} of them from {path}")
