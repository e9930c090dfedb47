"""What a search has found, as a table to read, or as a CSV or JSON file."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tmr.errors import InputError
from tmr.io import write_json
from tmr.search.library import Hit
from tmr.search.moments import Moment
from tmr.spreadsheet import write_rows

log = logging.getLogger(__name__)

FORMATS = (".csv", ".json")
Found = Sequence[Hit | Moment]


def check_output(output: str | None) -> None:
    """Raise InputError for a file that results cannot be written to, before the search."""
    if output is not None and Path(output).suffix.lower() not in FORMATS:
        raise InputError(f"output={output}: expected a file ending in {' or '.join(FORMATS)}")


def show(title: str, found: Found, output: str | None = None) -> None:
    """Print a table of what was found, best first, and write it to ``output`` too."""
    print(title)
    print(table(found) if found else "  nothing found")
    if output is not None:
        write(records(found), Path(output))


def table(found: Found) -> str:
    """Rank, score, file, seconds, frames of the file, and the first caption, in columns."""
    rows = [("rank", "score", "motion", "seconds", "frames", "caption")]
    for record in records(found):
        captions, key, file = record["captions"], record["key"], record["file"]
        rows.append(
            (
                str(record["rank"]),
                f"{record['score']:.3f}",
                file if file.startswith(key) else key,  # data sets are known by their keys
                f"{record['start']:.2f}-{record['end']:.2f}",
                f"{record['first_frame']}-{record['end_frame']} @ {record['fps']:g}",
                captions[0] if captions else "",
            )
        )
    if not any(row[-1] for row in rows[1:]):
        rows = [row[:-1] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(f"  {line}".rstrip() for line in lines)


def write(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write records, all of the same fields, as CSV or JSON, by the ending of the path."""
    if path.suffix.lower() == ".json":
        write_json(path, rows)
    else:
        cells = ([_cell(value) for value in row.values()] for row in rows)
        write_rows(path, [list(rows[0]) if rows else FIELDS, *cells])
    log.info("wrote %s", path)


FIELDS: tuple[str, ...] = (
    "rank", "score", "key", "file", "start", "end", "first_frame", "end_frame", "fps", "captions",
)  # fmt: skip


def _cell(value: object) -> object:
    return " | ".join(value) if isinstance(value, list) else value


def records(found: Found) -> list[dict[str, Any]]:
    """What was found as plain values: seconds, and frames [first, end) at the file's own rate."""
    return [_record(rank, one) for rank, one in enumerate(found, 1)]


def _record(rank: int, found: Hit | Moment) -> dict[str, Any]:
    entry = found.entry
    part = found if isinstance(found, Moment) else entry
    first, end = part.frame_span
    values = (
        rank, round(found.score, 4), entry.key, entry.file, round(float(part.start), 3),
        round(float(part.end), 3), first, end, float(entry.take.fps), list(entry.captions),
    )  # fmt: skip
    return dict(zip(FIELDS, values, strict=True))
