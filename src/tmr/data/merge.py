"""Several data sets as one to train on, without what any of their test sets has.

Data sets of the same recordings overlap: KIT-ML and BABEL caption AMASS files that HumanML3D has in
its test split. A training caption is dropped when it describes seconds of a recording of which a
held-out caption describes some, whatever data set that is in, mirrored or not.
"""

import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path, PurePosixPath

from tmr.data.annotations import Annotation, Caption, read_annotations, read_split
from tmr.data.releases.layout import (
    DataSet,
    is_mirrored,
    mirrored_key,
    unmirrored_path,
    write_data_set,
)
from tmr.errors import InputError
from tmr.motion.preprocessing import MIRRORED

log = logging.getLogger(__name__)

Span = tuple[float, float]
HELD_OUT = {"test": (), "val": ("test",), "train": ("test", "val")}  # split: what it must not show


@dataclass(frozen=True, slots=True)
class Joined:
    """What became of one split of one data set: keys and captions kept, and those dropped."""

    name: str
    split: str
    keys: int
    captions: int
    dropped_keys: int
    dropped_captions: int


@cache
def recording(path: str) -> str:
    """The recording that a path is of: the same for mirrored copies and for ways of naming it.

    AMASS names end in ``_poses`` or ``_stageii`` by its version and have blanks or underscores;
    files of CMU carry their subject in their name, so its folder does not matter.
    """
    parts = PurePosixPath(unmirrored_path(path).lower()).parts
    parts = [re.sub(r"[^a-z0-9]+", "_", part) for part in parts]
    parts[-1] = re.sub(r"_(poses|stageii|stagei)$", "", parts[-1])
    if parts[0] == "cmu":
        parts = [parts[0], parts[-1]]
    return "/".join(parts)


class Spans:
    """Described seconds of recordings."""

    def __init__(self, annotations: Iterable[Annotation]) -> None:
        self._spans: dict[str, list[Span]] = defaultdict(list)
        for annotation in annotations:
            spans = {(c.start, c.end) for c in annotation.captions}
            self._spans[recording(annotation.path)].extend(spans)

    def overlap(self, path: str, caption: Caption) -> float:
        """The most seconds that the caption shares with one described span of its recording."""
        return max(
            (
                min(caption.end, end) - max(caption.start, start)
                for start, end in self._spans.get(recording(path), ())
            ),
            default=0.0,
        )

    def without(self, annotation: Annotation, allowed: float = 0.0) -> Annotation:
        """The annotation with those captions that share at most ``allowed`` seconds with these."""
        kept = tuple(c for c in annotation.captions if self.overlap(annotation.path, c) <= allowed)
        return replace(annotation, captions=kept)


def combine(
    sets: Mapping[str, DataSet], allowed: float = 0.0, repeats: Mapping[str, int] | None = None
) -> tuple[DataSet, list[Joined]]:
    """The data sets as one, and what was kept and dropped of each.

    A key becomes ``NAME_KEY`` (``MNAME_KEY`` when mirrored). ``train`` and ``val`` lose the
    captions that share more than ``allowed`` seconds with a ``test`` caption of any of the sets,
    ``train`` also those that share some with a ``val`` caption; keys without captions go. ``test``
    joins the test splits whole; ``NAME_test`` and ``NAME_nsim_test`` are those of one set. A set of
    ``repeats`` has its training keys that many times: an epoch shows them as often.

    Raises:
        InputError: fewer than two sets, a set without a training split, or a repeat of no set.
    """
    if len(sets) < 2:
        raise InputError(f"combine takes at least two data sets, got {len(sets)}: sets=[A,B]")
    empty = [name for name, data in sets.items() if not data.splits.get("train")]
    if empty:
        raise InputError(f"no training split in {', '.join(empty)}")
    times = dict.fromkeys(sets, 1) | dict(repeats or {})
    wrong = [f"{name}: {n}" for name, n in times.items() if name not in sets or n < 1]
    if wrong:
        raise InputError(
            f"repeats={{{wrong[0]}}}: expected whole numbers above 0 for some of {', '.join(sets)}"
        )
    shown = {
        split: Spans(a for data in sets.values() for a in _known(data, split))
        for split in ("test", "val")
    }
    annotations: dict[str, Annotation] = {}
    splits: dict[str, list[str]] = {split: [] for split in HELD_OUT}
    report = []
    for name, data in sets.items():
        for split, held_out in HELD_OUT.items():
            known = _known(data, split)
            kept = [_kept(a, [shown[other] for other in held_out], allowed) for a in known]
            for annotation in kept:
                if annotation.captions:
                    renamed = replace(annotation, key=_key(name, annotation))
                    annotations[renamed.key] = renamed
                    copies = times[name] if split == "train" else 1
                    splits[split] += [renamed.key] * copies
            report.append(_joined(name, split, known, kept))
        for split in ("test", "nsim_test"):
            if data.splits.get(split):
                splits[f"{name}_{split}"] = [_key(name, a) for a in _known(data, split)]
    splits["all"] = list(
        dict.fromkeys(key for name in ("train", "val", "test") for key in splits[name])
    )
    return DataSet(annotations, splits), report


def _known(data: DataSet, split: str) -> list[Annotation]:
    keys = data.splits.get(split, ())
    return [data.annotations[key] for key in keys if key in data.annotations]


def _kept(annotation: Annotation, held_out: Sequence[Spans], allowed: float) -> Annotation:
    for spans in held_out:
        annotation = spans.without(annotation, allowed)
    return annotation


def _key(name: str, annotation: Annotation) -> str:
    if is_mirrored(annotation.path):
        return mirrored_key(f"{name}_{annotation.key.removeprefix(MIRRORED)}")
    return f"{name}_{annotation.key}"


def _joined(name: str, split: str, known: list[Annotation], kept: list[Annotation]) -> Joined:
    keys, captions = sum(bool(a.captions) for a in kept), sum(len(a.captions) for a in kept)
    return Joined(
        name=name,
        split=split,
        keys=keys,
        captions=captions,
        dropped_keys=len(known) - keys,
        dropped_captions=sum(len(a.captions) for a in known) - captions,
    )


def combine_data_sets(
    root: Path,
    names: Sequence[str],
    name: str,
    allowed: float = 0.0,
    overwrite: bool = False,
    repeats: Mapping[str, int] | None = None,
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
    combined, report = combine(
        {other: read_data_set(root / other) for other in names}, allowed, repeats
    )
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
