"""BABEL: labels of AMASS sequences as a whole and of their segments (Punnakkal et al., CVPR 2021).

``train.json``, ``val.json`` (and ``extra_train.json``, ``extra_val.json``) are objects by sequence
id with ``feat_p`` (AMASS file), ``dur`` (seconds), ``seq_ann`` and ``frame_ann``: null or an object
with ``labels``, each ``raw_label``, ``proc_label``, ``act_cat`` and for segments ``start_t``,
``end_t``. The extra files have lists of these instead, ``seq_anns`` and ``frame_anns``.
"""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import orjson

from tmr.data.annotations import Annotation, Caption, checked_path
from tmr.data.releases.layout import DataSet, mirrored_key, segment_id, with_mirrored
from tmr.data.releases.release import find_part
from tmr.errors import InputError

log = logging.getLogger(__name__)

TRANSITION = "transition"


def read_babel(release: Path, extra: bool = False, mirror: bool = True) -> DataSet:
    """Annotations of BABEL: a key a sequence, its first captions of the whole, then segments.

    ``extra`` adds the labels of ``extra_train.json`` and ``extra_val.json``. Labels called
    transition are left out, repeated ones taken once. With ``mirror``, mirrored copies are added
    to the training split. The splits are the files; the labels of ``test.json`` are not public.

    Raises:
        InputError: no train.json and val.json, or an entry that lacks a field; it is named.
    """
    annotations: dict[str, Annotation] = {}
    categories: dict[str, list[str]] = {}
    splits: dict[str, list[str]] = {}
    for split in ("train", "val"):
        entries = _read(release, f"{split}.json")
        for sid, entry in (_read(release, f"extra_{split}.json") if extra else {}).items():
            entries.setdefault(sid, {}).update(entry)
        splits[split] = []
        for sid, entry in entries.items():
            annotation, actions = _sequence(sid, entry, f"{release}/{split}.json, {sid}")
            if annotation.captions:
                annotations[sid] = annotation
                splits[split].append(sid)
                categories |= {segment_id(sid, i): list(names) for i, names in enumerate(actions)}
        log.info("%s: %d sequences, %d with labels", split, len(entries), len(splits[split]))
    if mirror:
        splits["train"] += [mirrored_key(sid) for sid in splits["train"]]
    splits["all"] = splits["train"] + splits["val"]
    data = DataSet(annotations, splits, categories)
    return with_mirrored(data) if mirror else data


def _read(release: Path, name: str) -> dict[str, Any]:
    path = find_part(release, name)
    if path is None:
        raise InputError(f"no {name} in {release}; give BABEL's folder as release=...")
    try:
        entries = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise InputError(f"{path} is not valid JSON: {error}") from None
    if not isinstance(entries, dict) or not all(isinstance(e, dict) for e in entries.values()):
        raise InputError(f"{path}: expected an object of sequences by id")
    return entries


def _sequence(
    sid: str, entry: Mapping[str, Any], place: str
) -> tuple[Annotation, list[tuple[str, ...]]]:
    """A sequence with its labels as captions, and the action categories of each."""
    try:
        path, duration = amass_path(entry["feat_p"]), float(entry["dur"])
        labels = list(dict.fromkeys(_labels(entry, duration)))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{place}: not a sequence of BABEL: {error!r}") from None
    captions = tuple(caption for caption, _ in labels)
    checked_path(path, place)
    return Annotation(sid, path, duration, captions), [actions for _, actions in labels]


def _labels(entry: Mapping[str, Any], duration: float) -> Iterator[tuple[Caption, tuple[str, ...]]]:
    """Captions with their action categories, of the whole sequence first, segments in time."""
    whole = [(label, 0.0, duration) for label in _all_labels(entry, "seq_ann")]
    parts = [
        (label, float(label["start_t"]), min(float(label["end_t"]), duration))
        for label in _all_labels(entry, "frame_ann")
    ]
    for label, start, end in whole + sorted(parts, key=lambda part: part[1:]):
        text = (label["raw_label"] or label["proc_label"] or "").strip()
        if text and TRANSITION not in (text, label["proc_label"]) and start < end:
            yield Caption(text, start, end), tuple(label["act_cat"] or ())


def _all_labels(entry: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    annotators = [entry.get(name), *(entry.get(f"{name}s") or [])]
    return [label for one in annotators if one for label in one["labels"]]


def amass_path(feature_path: str) -> str:
    """AMASS file without extension: ``feat_p`` has the name of the archive before it."""
    path = PurePosixPath(feature_path).with_suffix("")
    inside = path.parts[1:]
    return "/".join(inside) if len(inside) > 2 else str(path)
