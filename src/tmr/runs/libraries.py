"""Libraries encoded by the model of a run, kept in its folder."""

import hashlib
import logging
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from tmr.data import TextMotionData
from tmr.runs.folder import RunDir
from tmr.search.encoder import Encoder
from tmr.search.library import Library, Progress

log = logging.getLogger(__name__)


def open_library(
    run: RunDir, ckpt: str, encoder: Encoder, data: TextMotionData, splits: Sequence[str] = ()
) -> Library:
    """The library of a data set; what is new in it is encoded, with a progress bar."""
    path = library_folder(run, ckpt, data.name)
    with _progress_bar() as show:
        library = Library.of_data(data, encoder, path, splits=splits, overwrite=True, progress=show)
    log.info("%s: %d rows %s", library.name, len(library), f"in {path}" if path else "in memory")
    return library


def open_folder(run: RunDir, ckpt: str, encoder: Encoder, folder: Path | str) -> Library:
    """The library of the motion files below a folder, as :func:`open_library`.

    Raises:
        InputError: no such folder, or no file in it that can be read.
    """
    place = Path(folder).resolve()
    digest = hashlib.sha256(os.fsencode(place)).hexdigest()[:8]  # two folders may share a name
    path = library_folder(run, ckpt, f"folders/{place.name}-{digest}")
    with _progress_bar() as show:
        return Library.of_folder(folder, encoder, path, overwrite=True, progress=show)


@contextmanager
def _progress_bar() -> Iterator[Progress]:
    """A bar, as a function of the motions done and all to do."""
    with tqdm(desc="encode", unit=" motions", disable=None) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show


def library_folder(run: RunDir, ckpt: str, name: str) -> Path | None:
    """Folder for a library encoded by these weights; None where it cannot be written to."""
    folder = run.root / "libraries" / ckpt / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        log.info("the library is not kept: %s", error)
        return None
    return folder
