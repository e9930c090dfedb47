"""The motion that a command looks for likes of."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from tmr.commands.inputs import read_features
from tmr.errors import InputError
from tmr.search.library import Library


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
        features = read_features(Path(npy), start, end, reading)
        return library.encoder.encode_motions([features])[0].cpu()
    assert key is not None
    return library.latent(key)
