"""The files that people give."""

import threading
from pathlib import Path

import numpy as np
from gradio.utils import get_upload_folder
from jaxtyping import Float32

from tmr.errors import InputError
from tmr.motion.apart import apart
from tmr.motion.measured import read_measured
from tmr.motion.read import READERS

SUFFIXES = tuple(READERS)
MAX_READ = 2  # at once; what the viewer shows is read beside them
_reading = threading.BoundedSemaphore(MAX_READ)


def upload_folder() -> Path:
    """The folder where Gradio puts the files that people give."""
    return Path(get_upload_folder())


def read_upload(path: Path) -> Float32[np.ndarray, "frames 263"]:
    """Features of the motion in an uploaded file.

    Raises:
        InputError: a file that cannot be read, or holds more than the page takes in, or too many
            that are being read already; the message has the file's name without its folder.
    """
    if not _reading.acquire(blocking=False):
        raise InputError(f"{MAX_READ} files are being read already; try again in a moment")
    try:
        return apart(read_measured, path)
    except InputError as error:
        reason = str(error).replace(str(path), path.name)
        named = reason.startswith(path.name)
        raise InputError(reason if named else f"{path.name}: {reason}") from None
    finally:
        _reading.release()
