"""The library that a command searches, and the motion that it looks for likes of."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from tmr.api import Model
from tmr.commands.inputs import read_features
from tmr.errors import InputError
from tmr.motion.conventions import Overrides
from tmr.runs.build import data_of
from tmr.runs.examples import data_to_search
from tmr.runs.libraries import open_folder, open_library
from tmr.search.filters import parse_filter, quoted
from tmr.search.library import Hit, Library, Query
from tmr.search.moments import Moment
from tmr.search.stores.factory import is_library


def library_of(
    model: Model,
    folder: str | None,
    library: str | None,
    data: Mapping[str, Any] | None,
    split: str | None,
    windows: float | int | None,
    reading: Mapping[str, Any],
) -> Library:
    """The library of a command, brought up to date: of a folder or file of motions, one that was
    made before, or of a data set, by default that of the run.

    Raises:
        InputError: more than one is given, or one that cannot be used.
    """
    if sum(given is not None for given in (folder, library, data)) > 1:
        raise InputError("give one of folder=FOLDER, library=LIBRARY and data=NAME")
    if library is not None:
        return _made_before(library, model)
    lengths = [] if windows is None else [windows]
    if folder is not None:
        return open_folder(model.run, model.ckpt, model, folder, lengths, Overrides(**reading))
    data_set = data_of({"data": data}) if data else data_to_search(model.run, model.config)
    splits = [] if split is None else [split]
    found = open_library(model.run, model.ckpt, model, data_set, splits, lengths)
    if split is not None and split not in found.splits:
        names = ", ".join(found.splits) or "none"
        raise InputError(f"no motion of split {split}; splits found: {names}")
    return found


def find(
    library: Library,
    query: Query,
    top: int,
    where: str,
    windows: float | int | None,
    **options: Any,
) -> list[Hit] | list[Moment]:
    """Whole takes, or with ``windows``, a length in seconds, moments in them; best first."""
    if windows is None:
        return library.search(query, top, where, **options)
    return library.moments(query, top, where, seconds=float(windows), **options)


def filter_of(
    where: str | None, split: str | None, min_seconds: float | int, windows: float | int | None
) -> str:
    """The options of a search as one filter."""
    parts = [f"({where})"] if where else []
    if split is not None:
        parts.append(f"split = {quoted(split)}")
    if min_seconds:
        if windows is not None:
            raise InputError("min_seconds is the length of whole takes: leave out windows")
        parts.append(f"length >= {float(min_seconds)}")
    text = " and ".join(parts)
    parse_filter(text)  # refused before anything is encoded
    return text


def split_of(split: str | None, folder: str | None, library: str | None) -> str | None:
    """The split to search: only data sets have some, and theirs is the test split by default."""
    if split is None and folder is None and library is None:
        return "test"
    return None if split == "all" else split


def latent_of(
    model: Model,
    library: Library | None,
    npy: str | None,
    key: str | None,
    start: float | int | None,
    end: float | int | None,
    reading: Mapping[str, Any],
) -> Tensor:
    """The latent of a motion file, or of the motion ``key`` of the library, which a file needs not.

    Raises:
        InputError: both or neither are given, or there is no such motion.
    """
    if (npy is None) == (key is None):
        raise InputError("give either npy=FILE, a motion file, or key=KEY, one of the library")
    if npy is not None:
        features = read_features(Path(npy), start, end, reading).numpy()
        return model.encode_motions([features], check=False)[0].cpu()
    assert key is not None and library is not None
    return library.latent(key)


def _made_before(path: str, model: Model) -> Library:
    try:
        return Library.open(path, model)
    except InputError:
        if Path(path).is_dir() and not is_library(path):
            raise InputError(
                f"no library at {path}; for a folder of motion files give folder={path}"
            ) from None
        raise
