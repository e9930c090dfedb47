"""The library of a command's data set, with a progress bar while it is encoded."""

import logging
import tempfile
from pathlib import Path

from omegaconf import DictConfig
from tqdm import tqdm

from tmr.api import Model, load
from tmr.data import TextMotionData
from tmr.runs.build import data_of
from tmr.search.library import Library

log = logging.getLogger(__name__)


def library_of(cfg: DictConfig, model: Model | None = None) -> Library:
    """The motions of ``split`` in ``data``, or the run's own data set, ready to be searched."""
    model = model or load(cfg.run_dir, cfg.device, cfg.ckpt)
    data = data_of(cfg) if cfg.get("data") else None
    return library_of_data(model, data, [cfg.split])


def library_of_data(
    model: Model, data: TextMotionData | None = None, splits: list[str] | None = None
) -> Library:
    """A data set's library, by default that of the run's own; kept in the run folder."""
    data = data or data_of(model.config)
    path = kept_at(model, data.name)
    with tqdm(desc="encode", unit=" motions", disable=None) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        library = Library.of_data(
            data, model, path, splits=splits or (), overwrite=True, progress=show
        )
    log.info("%s: %d rows %s", library.name, len(library), f"in {path}" if path else "in memory")
    return library


def kept_at(model: Model, name: str) -> Path | None:
    """Folder in the run for a library of this name; None where the run cannot be written to."""
    folder = model.run.root / "libraries" / model.ckpt / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        log.info("the library is not kept: %s", error)
        return None
    return folder
