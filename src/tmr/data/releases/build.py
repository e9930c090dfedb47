"""Build a data set's annotations and splits from a release, and count what is in them."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from tmr.data import TextMotionData
from tmr.data.feature_files import read_features
from tmr.data.releases import (
    DataSet,
    SourceCount,
    count_sources,
    detect_format,
    is_mirrored,
    read_babel,
    read_humanml3d,
    read_kitml,
    read_table,
    unmirrored_path,
    with_mirrored,
    write_data_set,
)
from tmr.errors import InputError
from tmr.motion.preprocessing import MIRRORED
from tmr.motion.skeleton import FPS

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """How to read a release: see configs/annotations.yaml."""

    index: str | None = None
    source: str | None = None
    mirror: bool = True
    notebook_trim: bool = False
    extra: bool = False
    shares: dict[str, float] = field(default_factory=lambda: {"val": 0.05, "test": 0.1})


def _humanml3d(release: Path, options: Options, data: TextMotionData) -> DataSet:
    built = read_humanml3d(
        release, _index(options), options.notebook_trim, lambda path: seconds_of(data, path)
    )
    if options.source:
        built = of_source(built, options.source, data.name)
    return with_mirrored(built) if options.mirror else built


def of_source(data: DataSet, source: str, name: str) -> DataSet:
    """The motions of one archive of AMASS alone, with the paths of a flat import as ``name``.

    ``CMU/132/132_02_poses`` becomes ``name/132_02``.

    Raises:
        InputError: no motion is of that archive.
    """
    annotations = {}
    for key, annotation in data.annotations.items():
        parts = PurePosixPath(unmirrored_path(annotation.path)).parts
        if parts[0] == source:
            path = f"{name}/{parts[-1].removesuffix('_poses')}"
            path = f"{MIRRORED}/{path}" if is_mirrored(annotation.path) else path
            annotations[key] = replace(annotation, path=path)
    if not annotations:
        found = sorted(
            {unmirrored_path(a.path).partition("/")[0] for a in data.annotations.values()}
        )
        raise InputError(f"options.source={source}: expected one of {', '.join(found)}")
    splits = {
        split: [key for key in keys if key in annotations] for split, keys in data.splits.items()
    }
    return DataSet(annotations, splits)


def _kitml(release: Path, options: Options, data: TextMotionData) -> DataSet:
    built = read_kitml(release, _index(options))
    return with_mirrored(built) if options.mirror else built


def _babel(release: Path, options: Options, data: TextMotionData) -> DataSet:
    return read_babel(release, options.extra, options.mirror)


def _table(release: Path, options: Options, data: TextMotionData) -> DataSet:
    return read_table(
        release, lambda path: motion_length(data, path), options.shares, options.mirror
    )


FORMATS = {"humanml3d": _humanml3d, "kitml": _kitml, "babel": _babel, "table": _table}


def build_annotations(
    data: TextMotionData,
    release: Path,
    options: Options,
    format: str | None = None,
    overwrite: bool = False,
) -> DataSet:
    """Write the data set's ``annotations.json`` and ``splits/``; returns their content.

    ``format`` is a name of ``FORMATS``; None finds it from what is in the release.

    Raises:
        InputError: the release cannot be used, or there are annotations already and no
            ``overwrite``.
    """
    folder = Path(data.annotations)
    existing = folder / "annotations.json"
    if existing.is_file() and not overwrite:
        raise InputError(f"{existing} exists; add overwrite=true to replace it and the splits")
    format = format or detect_format(release)
    if format not in FORMATS:
        raise InputError(f"format={format}: expected one of {', '.join(FORMATS)}")
    built = FORMATS[format](release, options, data)
    write_data_set(folder, built)
    log.info("%s, read as %s:\n%s", release, format, source_table(count_sources(built.annotations)))
    log.info("wrote %s and splits: %s", existing, split_counts(built))
    return built


def motion_length(data: TextMotionData, path: str) -> tuple[str, float | None]:
    """Path of a motion with the data set's folder before it where it needs that, and its seconds.

    Seconds are None when there is no feature file.
    """
    inside = path if path.startswith(f"{data.name}/") else f"{data.name}/{path}"
    for candidate in (path, inside):
        length = seconds_of(data, candidate)
        if length is not None:
            return candidate, length
    return inside, None


def seconds_of(data: TextMotionData, path: str) -> float | None:
    """Length of a motion by its feature file, None without one."""
    file = data.motion_file(path)
    return len(read_features(file)) / FPS if file.is_file() else None


def source_table(counts: Sequence[SourceCount]) -> str:
    """A line for each source, and their sum."""
    total = SourceCount(
        "all",
        sum(c.keys for c in counts),
        sum(c.mirrored for c in counts),
        sum(c.captions for c in counts),
        sum(c.hours for c in counts),
    )
    width = max(len(c.source) for c in [*counts, total])
    lines = [f"{'source':{width}}  {'keys':>7} {'mirrored':>8} {'captions':>8} {'hours':>6}"]
    lines += [
        f"{c.source:{width}}  {c.keys:7d} {c.mirrored:8d} {c.captions:8d} {c.hours:6.2f}"
        for c in [*counts, total]
    ]
    return "\n".join(lines)


def split_counts(data: DataSet) -> str:
    """Keys of each split, and how many of them have no annotation."""
    counts = []
    for name, keys in data.splits.items():
        unknown = sum(key not in data.annotations for key in keys)
        counts.append(f"{name} {len(keys)}" + (f" ({unknown} without annotation)" * bool(unknown)))
    return ", ".join(counts)


def _index(options: Options) -> Path | None:
    return Path(options.index) if options.index else None
