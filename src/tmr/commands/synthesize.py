"""The embedded data set of procedural motions."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tmr.synthetic import dataset

log = logging.getLogger(__name__)


def synthesize(root: str, seed: int, size: Mapping[str, Any], processes: int | None) -> None:
    """Write motions, annotations and splits, and log how many there are."""
    keys = dataset.synthesize(Path(root), dataset.CorpusSize(**size), seed, processes or -1)
    splits = ", ".join(f"{name} {count}" for name, count in keys.items())
    log.info("synthetic motions in %s, keys with mirrored copies: %s", root, splits)
