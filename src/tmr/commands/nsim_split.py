"""The split of dissimilar captions that the nsim protocol needs."""

from collections.abc import Mapping
from typing import Any

from tmr.data import nsim_split as subset
from tmr.device import choose_device
from tmr.runs.build import data_of, embeddings_of


def nsim_split(
    data: Mapping[str, Any],
    language_model: Mapping[str, Any],
    split: str,
    size: int,
    output: str,
    device: str,
    overwrite: bool,
) -> None:
    """Choose and write the keys."""
    config = {"data": data, "language_model": language_model}
    data_set = data_of(config)
    embeddings = embeddings_of(config, data_set, choose_device(device))
    subset.nsim_split(data_set, embeddings, split, size, output, overwrite)
