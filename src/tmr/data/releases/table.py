"""A table of one's own: ``path,caption[,start,end][,split][,key]`` as CSV or JSON."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from tmr.data.annotations import Annotation, Caption, checked_path
from tmr.data.releases.layout import DataSet, in_key_order, is_mirrored, mirrored_key, with_mirrored
from tmr.data.releases.release import motion_path, seconds
from tmr.errors import InputError
from tmr.spreadsheet import check_fields, decode, read_rows

SPLITS = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class _Row:
    place: str
    key: str
    path: str
    caption: str
    start: str
    end: str
    split: str


def read_table(
    table: Path,
    seconds_of: Callable[[str], tuple[str, float | None]],
    shares: Mapping[str, float],
    mirror: bool = True,
) -> DataSet:
    """Annotations from a CSV file with a header, or a JSON list of objects with the same fields.

    ``seconds_of`` gives the path of an annotation and the length of its motion, None without a
    file, from a path of the table. ``start`` and ``end`` are seconds and default to the whole
    motion. ``split`` is train, val or test; without that column, motions are dealt out by a hash
    of their path, ``shares["val"]`` and ``shares["test"]`` of them to these splits, so that a
    motion stays where it is when others are added. With ``mirror``, mirrored copies are added to
    the training split.

    Raises:
        InputError: a field is missing or wrong; the line is named.
    """
    val, test = shares["val"], shares["test"]
    if not (val >= 0 and test >= 0 and val + test < 1):
        raise InputError(f"shares of {val} and {test} leave nothing to train on")
    groups = _by_key(_rows(table), mirror)
    if not groups:
        raise InputError(f"{table} has no rows")
    annotations, splits = {}, {name: [] for name in SPLITS}
    for key in in_key_order(groups):
        first = groups[key][0]
        path, length = seconds_of(first.path)
        captions = tuple(_caption(row, path, length) for row in groups[key])
        duration = max(c.end for c in captions) if length is None else length
        annotations[key] = Annotation(key, path, duration, captions)
        split = _one_split(groups[key]) or _dealt(path, shares)
        splits[split].append(key)
        if mirror and split == "train" and not is_mirrored(path):
            splits[split].append(mirrored_key(key))
    splits["all"] = in_key_order(key for name in SPLITS for key in splits[name])
    data = DataSet(annotations, splits)
    return with_mirrored(data) if mirror else data


def _by_key(rows: Iterable[_Row], mirror: bool) -> dict[str, list[_Row]]:
    """Rows of each key, all of one motion; a key that would stand for two is refused."""
    groups: dict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        groups[row.key].append(row)
        first = groups[row.key][0]
        if row.path != first.path:
            raise InputError(
                f"{row.place}: the key {row.key!r} of {row.path!r} is that of {first.path!r} "
                f"({first.place}) too; give each motion a key of its own in a column key"
            )
    for key in groups if mirror else ():
        copy = groups.get(mirrored_key(key))
        if copy and not is_mirrored(groups[key][0].path):
            raise InputError(
                f"{copy[0].place}: the key {copy[0].key!r} is that of the mirrored copy of {key!r} "
                f"({groups[key][0].place}); give it another one in a column key, or "
                "options.mirror=false"
            )
    return groups


def _caption(row: _Row, path: str, length: float | None) -> Caption:
    if not row.caption:
        raise InputError(f"{row.place}: the caption is empty")
    start = seconds(row.start, row.place) if row.start else 0.0
    if not row.end and length is None:
        raise InputError(
            f"{row.place}: no end, and no motion file for {path!r}; import the motions and compute "
            "their features first, or give start and end"
        )
    end = seconds(row.end, row.place) if row.end else float(length or 0)
    if end <= start:
        raise InputError(
            f"{row.place}: the caption ends at {end} s, at or before its start {start}"
        )
    return Caption(row.caption, start, end)


def _one_split(rows: list[_Row]) -> str:
    splits = {row.split for row in rows}
    if len(splits) > 1 or not splits <= {"", *SPLITS}:
        raise InputError(
            f"{rows[0].place}: key {rows[0].key!r} has splits {sorted(splits)}; "
            f"expected one of {', '.join(SPLITS)}"
        )
    return splits.pop()


def _dealt(path: str, shares: Mapping[str, float]) -> str:
    place = int.from_bytes(hashlib.sha256(path.encode()).digest()[:8], "big") / 2**64
    if place < shares["test"]:
        return "test"
    return "val" if place < shares["test"] + shares["val"] else "train"


def _rows(table: Path) -> Iterator[_Row]:
    for place, fields in _fields(table):
        path = motion_path(fields["path"])
        if not path:
            raise InputError(f"{place}: the path is empty")
        checked_path(path, place)
        default = "_".join(path.replace("/", "_").split())
        key = fields.get("key") or default
        if len(key.split()) != 1:
            raise InputError(f"{place}: the key {key!r} must be one word")
        optional = (fields.get(name, "") for name in ("start", "end", "split"))
        yield _Row(place, key, path, fields["caption"], *optional)


def _fields(table: Path) -> Iterable[tuple[str, dict[str, str]]]:
    needed = ("path", "caption")
    if table.suffix.lower() != ".json":
        for line, row in read_rows(table, *needed):
            yield f"{table}, line {line}", row
        return
    for number, entry in enumerate(_json_list(table), start=1):
        place = f"{table}, entry {number}"
        if not isinstance(entry, dict):
            raise InputError(f"{place}: expected an object with path and caption")
        check_fields(list(entry), needed, place)
        captions = entry.pop("caption")
        for caption in captions if isinstance(captions, list) else [captions]:
            if not isinstance(caption, str):
                raise InputError(
                    f"{place}: expected a caption or a list of captions, got {caption!r}"
                )
            yield (
                place,
                {k: _text(k, v, place) for k, v in entry.items()} | {"caption": caption.strip()},
            )


def _text(name: str, value: object, place: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise InputError(f"{place}: expected text or a number as {name}, got {value!r}")
    return str(value).strip()


def _json_list(table: Path) -> list[Any]:
    try:
        entries = orjson.loads(decode(table.read_bytes(), str(table)).removeprefix("\ufeff"))
    except (OSError, orjson.JSONDecodeError) as error:
        raise InputError(f"{table} cannot be read as JSON: {error}") from None
    if not isinstance(entries, list):
        raise InputError(f"{table}: expected a list of objects with path and caption")
    return entries
