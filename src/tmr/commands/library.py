"""The library of a command's data set, with a progress bar while it is encoded."""

from omegaconf import DictConfig
from tqdm import tqdm

from tmr.api import load
from tmr.runs.build import data_of
from tmr.search.library import Library


def library_of(cfg: DictConfig) -> Library:
    """The motions of ``split`` in ``data``, or the run's own data set, ready to be searched."""
    model = load(cfg.run_dir, cfg.device, cfg.ckpt)
    data = data_of(cfg) if cfg.get("data") else None
    with tqdm(desc="encode", unit=" motions", disable=None) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        library = Library.of_data(model, data, splits=[cfg.split], progress=show)
        _ = library.gallery  # made now, under the bar
    return library
