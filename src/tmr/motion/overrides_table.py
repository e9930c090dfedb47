"""What single folders or files of a collection do not state, or state wrongly: a small table.

``overrides.csv`` in the folder of the motion files has a column ``path``, a folder or a file below
it, and any of profile, fps, unit, up and handedness; an empty cell leaves the option as it is.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath

from tmr.errors import InputError
from tmr.motion.conventions import Overrides
from tmr.spreadsheet import read_rows, write_rows

TABLE = "overrides.csv"
_NUMBERS = ("fps",)
_COLUMNS = ("profile", *_NUMBERS, "unit", "up", "handedness")


@dataclass(frozen=True, slots=True)
class OverridesTable:
    """Overrides by path relative to a folder; ``default`` holds where no row does."""

    default: Overrides
    rows: dict[PurePosixPath, Overrides]

    def of(self, path: PurePosixPath) -> Overrides:
        """The overrides of a file: of the deepest row that it lies below."""
        for place in (path, *path.parents):
            if place in self.rows:
                return self.rows[place]
        return self.default


def read_overrides(table: Path, default: Overrides, files: Sequence[Path]) -> OverridesTable:
    """Read a table of overrides, if there is one, for files below its folder.

    Raises:
        InputError: an unknown column, a wrong value, two rows for one path, or a row for a path
            that no file lies at or below; the line is named.
    """
    if not table.is_file():
        return OverridesTable(default, {})
    rows: dict[PurePosixPath, Overrides] = {}
    for line, row in read_rows(table, "path"):
        place = f"{table}, line {line}"
        unknown = [name for name in row if name not in ("path", *_COLUMNS)]
        if unknown:
            raise InputError(
                f"{table}: unknown column {unknown[0]!r}, expected path and any of "
                f"{', '.join(_COLUMNS)}"
            )
        path = PurePosixPath(row["path"].replace("\\", "/"))
        if path in rows:
            raise InputError(f"{place}: a second row for {row['path']!r}")
        if not any((table.parent / path) in (file, *file.parents) for file in files):
            raise InputError(f"{place}: no motion file at or below {row['path']!r}")
        given = {name: _value(name, row[name], place) for name in _COLUMNS if row.get(name)}
        try:
            rows[path] = replace(default, **given)
        except InputError as error:
            raise InputError(f"{place}: {error}") from None
    return OverridesTable(default, rows)


def give_overrides(table: Path, files: Sequence[str], given: Overrides) -> None:
    """Add rows for files to a table, or put them in place of theirs; it is made where missing.

    Raises:
        InputError: the table is there and cannot be read, or its folder cannot be written to.
    """
    rows = [row for _, row in read_rows(table, "path")] if table.is_file() else []
    rows = [row for row in rows if row["path"] not in files]
    cells = {name: str(value) for name, value in asdict(given).items() if value is not None}
    rows += [{"path": file} | cells for file in files]
    columns = ["path", *_COLUMNS]
    write_rows(table, [columns, *([row.get(name, "") for name in columns] for row in rows)])


def _value(name: str, text: str, place: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        if name in _NUMBERS:
            raise InputError(f"{place}: {name} {text!r} is not a number") from None
        return text
