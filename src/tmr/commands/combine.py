"""Join data sets for training: read them, combine, write, and say what was dropped."""

import logging
from collections.abc import Sequence
from pathlib import Path

from tmr.data.annotations import read_annotations, read_split
from tmr.data.merge import Joined, combine
from tmr.data.releases import DataSet, write_data_set
from tmr.errors import InputError

log = logging.getLogger(__name__)


def combine_data_sets(
    root: Path, names: Sequence[str], name: str, allowed: float = 0.0, overwrite: bool = False
) -> list[Joined]:
    """Write the data set ``root``/``name`` from others below ``root``; returns what became of each.

    Raises:
        InputError: names that clash, a data set that cannot be read, or one of this name that is
            there already and no ``overwrite``.
    """
    folder = root / name
    if len({name, *names}) <= len(names):
        raise InputError(f"sets={names}: expected different names, and none of them name={name}")
    if (folder / "annotations.json").is_file() and not overwrite:
        raise InputError(f"{folder}/annotations.json exists; add overwrite=true to replace it")
    combined, report = combine({other: read_data_set(root / other) for other in names}, allowed)
    write_data_set(folder, combined)
    log.info("kept and dropped because a held-out split shows it:\n%s", joined_table(report))
    counts = ", ".join(f"{split} {len(keys)}" for split, keys in combined.splits.items())
    log.info("wrote %s: %s", folder, counts)
    return report


def read_data_set(folder: Path) -> DataSet:
    """Annotations and every split of a data set on disk."""
    splits = sorted(path.stem for path in (folder / "splits").glob("*.txt"))
    return DataSet(read_annotations(folder), {name: read_split(folder, name) for name in splits})


def joined_table(report: Sequence[Joined]) -> str:
    """A line for each split of each data set."""
    width = max(len("data set"), *(len(row.name) for row in report))
    lines = [
        f"{'data set':{width}}  split {'keys':>8} {'dropped':>8} {'captions':>9} {'dropped':>8}"
    ]
    lines += [
        f"{row.name:{width}}  {row.split:5} {row.keys:8d} {row.dropped_keys:8d} "
        f"{row.captions:9d} {row.dropped_captions:8d}"
        for row in report
    ]
    return "\n".join(lines)
