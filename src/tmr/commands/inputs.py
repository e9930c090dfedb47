"""What commands read: texts, motion files and parts of them, sets of motions."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from tmr.data.annotations import Caption
from tmr.data.dataset import frames_of
from tmr.errors import InputError
from tmr.motion import read
from tmr.motion.conventions import Overrides
from tmr.motion.folders import find_files
from tmr.motion.skeleton import FPS


def texts_of(text: str | Sequence[str] | None, texts: str | None) -> list[str]:
    """The texts of a command: ``text``, one or a list, or the lines of the file ``texts``.

    Raises:
        InputError: both or neither are given, no such file, not UTF-8, or no text in it.
    """
    if (text is None) == (texts is None):
        raise InputError('give either text="..." or texts=FILE, a file with one text a line')
    if text is not None:
        return [text] if isinstance(text, str) else [str(t) for t in text]
    assert texts is not None
    try:
        lines = Path(texts).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{texts} cannot be read as a UTF-8 text file: {error}") from None
    found = [line.strip() for line in lines if line.strip()]
    if not found:
        raise InputError(f"{texts} has no text: expected one a line")
    return found


def motion_files(given: str | Sequence[str]) -> list[Path]:
    """The motion files that ``npy`` names: a file, a folder with files, or a list of those.

    Raises:
        InputError: a folder without motion files.
    """
    files = []
    for path in map(Path, [given] if isinstance(given, str) else given):
        found = find_files(path, read.READERS).files if path.is_dir() else []
        if path.is_dir() and not found:
            raise InputError(f"no {', '.join(sorted(read.READERS))} file below {path}")
        files += found if path.is_dir() else [path]
    return files


def read_features(
    path: Path,
    start: float | int | None = None,
    end: float | int | None = None,
    reading: Mapping[str, Any] | None = None,
) -> Float[Tensor, "frames 263"]:
    """Unnormalized features of a motion file, or of its seconds [start, end).

    A ``.npy`` file of features (T, 263), or any motion file that `tmr.motion.read` knows;
    ``reading`` are the options of ``configs/shared/motion_file.yaml``.

    Raises:
        InputError: no such file, one that cannot be used, or seconds outside of it.
    """
    if not path.is_file():
        raise InputError(f"no motion file {path}; give npy=FILE, one of {', '.join(read.READERS)}")
    features = torch.from_numpy(read.read_features(path, Overrides(**(reading or {}))))
    seconds = len(features) / FPS
    start, end = float(start or 0), seconds if end is None else float(end)
    first, last = frames_of(Caption("", start, end), len(features))
    if not 0 <= first < last:
        raise InputError(
            f"{path} lasts {seconds:g} s; there is nothing from start={start:g} to end={end:g}"
        )
    return features[first:last]
