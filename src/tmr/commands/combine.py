"""Several data sets as one to train on."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tmr.data.merge import combine_data_sets


def combine(
    name: str,
    sets: str | Sequence[str],
    root: str,
    allowed: float | int,
    overwrite: bool,
    repeats: Mapping[str, int] | None,
) -> None:
    """Write the combined annotations and splits."""
    names = [sets] if isinstance(sets, str) else list(sets)
    combine_data_sets(Path(root), names, name, allowed, overwrite, repeats)
