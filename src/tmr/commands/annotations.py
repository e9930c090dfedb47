"""Annotations and splits from a release of captions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tmr.data.releases.build import Options, build_annotations
from tmr.runs.build import data_of


def annotations(
    data: Mapping[str, Any],
    release: str,
    format: str | None,
    overwrite: bool,
    options: Mapping[str, Any],
) -> None:
    """Write the annotations and splits of a data set."""
    build_annotations(data_of({"data": data}), Path(release), Options(**options), format, overwrite)
