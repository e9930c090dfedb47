"""The project's layout of annotations: what every builder makes, mirrors, counts and writes."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tmr.data.annotations import Annotation
from tmr.errors import InputError
from tmr.io import write_json, write_text
from tmr.motion.preprocessing import MIRRORED
from tmr.text.left_right import swap_sides


@dataclass(frozen=True, slots=True)
class DataSet:
    """Annotations by key, splits by name, and action categories by ``seg_id`` where there are any.

    The ``seg_id`` of a caption is its key and its number among the key's captions.
    """

    annotations: dict[str, Annotation]
    splits: dict[str, list[str]]
    categories: dict[str, list[str]] = field(default_factory=dict)


def segment_id(key: str, number: int) -> str:
    """Name of the ``number``-th caption of a key."""
    return f"{key}_{number}"


def is_mirrored(path: str) -> bool:
    """Whether the path of an annotation is that of a mirrored motion."""
    return path.startswith(f"{MIRRORED}/")


def unmirrored_path(path: str) -> str:
    """The path of the motion that was mirrored, or the path itself."""
    return path.removeprefix(f"{MIRRORED}/")


def mirrored_key(key: str) -> str:
    """Key of the mirrored copy."""
    return f"{MIRRORED}{key}"


def in_key_order(keys: Iterable[str]) -> list[str]:
    """Keys sorted, each directly before its mirrored copy."""
    return sorted(keys, key=lambda key: (key.removeprefix(MIRRORED), key))


def with_mirrored(data: DataSet) -> DataSet:
    """The data set and a mirrored copy of each motion that has none, captions with sides swapped.

    Splits stay as they are: whoever makes them decides where mirrored copies belong.

    Raises:
        InputError: the key of a mirrored copy is that of another motion.
    """
    annotations, categories = dict(data.annotations), dict(data.categories)
    for key, annotation in data.annotations.items():
        copy = mirrored_key(key)
        if is_mirrored(annotation.path):
            continue
        path = f"{MIRRORED}/{annotation.path}"
        if copy in data.annotations:
            if data.annotations[copy].path != path:
                raise InputError(
                    f"key {copy!r} is that of the mirrored copy of {key!r}, and of "
                    f"{data.annotations[copy].path!r}: give one of the two another key"
                )
            continue
        captions = tuple(replace(c, text=swap_sides(c.text)) for c in annotation.captions)
        annotations[copy] = Annotation(copy, path, annotation.duration, captions)
        for i in range(len(captions)):
            if segment_id(key, i) in categories:
                categories[segment_id(copy, i)] = categories[segment_id(key, i)]
    ordered = {key: annotations[key] for key in in_key_order(annotations)}
    return DataSet(ordered, data.splits, categories)


@dataclass(frozen=True, slots=True)
class SourceCount:
    """How much of a data set comes from one source, the first folder of the motions' paths."""

    source: str
    keys: int
    mirrored: int
    captions: int
    hours: float


def count_sources(annotations: Mapping[str, Annotation]) -> list[SourceCount]:
    """Keys, mirrored keys, captions of both, and hours of the unmirrored, most keys first."""
    groups: dict[str, list[Annotation]] = defaultdict(list)
    for annotation in annotations.values():
        groups[unmirrored_path(annotation.path).partition("/")[0]].append(annotation)
    counts = []
    for source, group in groups.items():
        originals = [a for a in group if not is_mirrored(a.path)]
        counts.append(
            SourceCount(
                source=source,
                keys=len(originals),
                mirrored=len(group) - len(originals),
                captions=sum(len(a.captions) for a in group),
                hours=sum(a.duration for a in originals) / 3600,
            )
        )
    return sorted(counts, key=lambda count: (-count.keys, count.source))


def write_data_set(folder: Path, data: DataSet) -> None:
    """Write ``annotations.json`` and ``splits/*.txt`` of a data set, each atomically."""
    write_json(folder / "annotations.json", annotations_json(data))
    for name, keys in data.splits.items():
        write_text(folder / "splits" / f"{name}.txt", "".join(f"{key}\n" for key in keys))


def annotations_json(data: DataSet) -> dict[str, Any]:
    """The content of ``annotations.json``; times are seconds, rounded to milliseconds."""
    return {
        key: {
            "path": annotation.path,
            "duration": round(annotation.duration, 3),
            "annotations": [
                {
                    "seg_id": segment_id(key, i),
                    "text": caption.text,
                    "start": round(caption.start, 3),
                    "end": round(caption.end, 3),
                }
                | _categories(data, segment_id(key, i))
                for i, caption in enumerate(annotation.captions)
            ],
            **dict(annotation.labels),
        }
        for key, annotation in data.annotations.items()
    }


def _categories(data: DataSet, segment: str) -> dict[str, list[str]]:
    return {"act_cat": data.categories[segment]} if segment in data.categories else {}
