"""Whether a data set is ready to train on, with a picture of some of its motions."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tmr.data.check import check as check_data
from tmr.runs.build import data_of, embeddings_of

NOT_READY = 1


def check(
    data: Mapping[str, Any], language_model: Mapping[str, Any], sheet: str | None, clips: int
) -> None:
    """Report, draw, and exit with code 1 when something is missing."""
    config = {"data": data, "language_model": language_model}
    data_set = data_of(config)
    picture = Path(sheet) if sheet else None
    if check_data(data_set, embeddings_of(config, data_set), picture, clips).problems:
        sys.exit(NOT_READY)
