"""NumPy files of unknown origin: nothing in them is run, and whatever is wrong is one error."""

import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from jaxtyping import Float

from tmr.errors import InputError


def load_npy(path: Path) -> np.ndarray:
    """The array of a .npy file. Raises InputError for what is none."""
    try:
        with path.open("rb") as file:
            array = np.load(file, allow_pickle=False)
            if file.read(1):
                raise InputError("more bytes than its header promises")
            return array
    except Exception as error:  # damaged headers make NumPy raise nearly anything
        raise InputError(f"not a readable .npy file: {_line(error)}") from None


def load_npz(path: Path, keys: Iterable[str]) -> dict[str, np.ndarray]:
    """Those arrays of a .npz file that are called ``keys``. Raises InputError for what is none."""
    try:
        if not zipfile.is_zipfile(path):
            raise InputError("not an archive of arrays")
        with np.load(path, allow_pickle=False) as content:
            return {key: content[key] for key in keys if key in content.files}
    except Exception as error:  # zipfile and zlib have exceptions of their own
        raise InputError(f"not a readable .npz file: {_line(error)}") from None


def numbers(arrays: dict[str, np.ndarray], key: str) -> Float[np.ndarray, "..."]:
    """The array called ``key`` as float64. Raises InputError for a missing or an unusable one."""
    if key not in arrays:
        raise InputError(f"no array {key!r}")
    array = arrays[key]
    if array.dtype.kind not in "fiu" or not array.size:
        raise InputError(f"found no numbers in array {key!r}")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise InputError(f"array {key!r} holds NaN or infinite values")
    return array


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
