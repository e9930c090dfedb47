"""Libraries encoded by the model of a run, kept in its folder."""

import hashlib
import logging
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tmr.data import TextMotionData
from tmr.motion.conventions import Overrides
from tmr.progress import Progress
from tmr.runs.folder import RunDir
from tmr.search.encoder import Encoder
from tmr.search.library import Library

log = logging.getLogger(__name__)


def open_library(
    run: RunDir,
    ckpt: str,
    encoder: Encoder,
    data: TextMotionData,
    splits: Sequence[str] = (),
    windows: Sequence[float | int] = (),
) -> Library:
    """The library of a data set; what is new in it is encoded, with progress shown.

    Raises:
        InputError: as :meth:`Library.of_data`.
    """
    path = library_folder(run, ckpt, data.name)
    with Progress("encode", "motions") as show:
        library = Library.of_data(
            data, encoder, path, splits=splits, windows=windows, overwrite=True, progress=show
        )
    log.info("%s: %d rows %s", library.name, len(library), f"in {path}" if path else "in memory")
    return library


def open_folder(
    run: RunDir,
    ckpt: str,
    encoder: Encoder,
    folder: Path | str,
    windows: Sequence[float | int] = (),
    overrides: Overrides | None = None,
) -> Library:
    """The library of a folder of motion files, or of one file, as :func:`open_library`.

    Raises:
        InputError: no such folder, or no file in it that can be read.
    """
    place = Path(folder).resolve()
    digest = hashlib.sha256(os.fsencode(place)).hexdigest()[:8]  # two folders may share a name
    path = library_folder(run, ckpt, f"folders/{place.name}-{digest}")
    with Progress("encode", "motions") as show:
        library = Library.of_folder(
            folder, encoder, path, windows=windows, overrides=overrides, overwrite=True,
            progress=show,
        )  # fmt: skip
    log.info("%s: %d rows %s", library.name, len(library), f"in {path}" if path else "in memory")
    return library


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
