"""CSV files: those that people make, of any separator and Excel's encodings, and our own."""

import csv
import io
import logging
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path

from tmr.errors import InputError
from tmr.io import write_text

_SEPARATORS = ",;\t|"
_WORKBOOKS = (".xlsx", ".xlsm", ".xls", ".ods")
_BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}

log = logging.getLogger(__name__)


def read_rows(path: Path, *needed: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and cells by column name of each row of a CSV file with a header.

    Blanks around cells are dropped, and so are empty rows and columns without a name. The
    separator (comma, semicolon, tab or bar) is the one of the header.

    Raises:
        InputError: no such file, a workbook, no text, a column of ``needed`` missing (those found
            are named), two columns of one name, or a row with more cells than columns.
    """
    if not path.is_file():
        raise InputError(f"no file {path}")
    if path.suffix.lower() in _WORKBOOKS:
        raise InputError(f"{path} is a workbook; save the sheet as 'CSV UTF-8' and give that file")
    text = decode(path.read_bytes(), str(path))
    first, _, rest = text.partition("\n")
    if first.lower().startswith("sep="):  # Excel's own way to name the separator
        separator, text, skipped = first[4:5] or ",", rest, 1
    else:
        separator, skipped = max(_SEPARATORS, key=first.count), 0
    rows = csv.reader(
        io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True
    )
    columns: list[str] | None = None
    try:
        for row in rows:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if columns is None:
                columns = cells
                check_fields([name for name in columns if name], needed, str(path))
                _refuse_repeated(columns, path)
                continue
            line = rows.line_num + skipped
            cells += [""] * (len(columns) - len(cells))
            unnamed = [cell for name, cell in zip(columns, cells, strict=False) if not name]
            if any(unnamed + cells[len(columns) :]):
                raise InputError(
                    f"{path}, line {line}: {len(columns)} columns expected, more found; put a "
                    f'text with {separator!r} in it into "quotation marks"'
                )
            named = {name: cell for name, cell in zip(columns, cells, strict=False) if name}
            yield line, named
    except csv.Error as error:
        raise InputError(f"{path}, line {rows.line_num + skipped}: {error}") from None
    if columns is None:
        check_fields([], needed, str(path))


def write_rows(path: Path, rows: Iterable[Iterable[object]]) -> None:
    """Write rows of cells as UTF-8 CSV, atomically; the first one names the columns."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_text(path, text.getvalue())


def decode(content: bytes, place: str) -> str:
    """Text of a file: UTF-8, UTF-16, or else Windows-1252, which is logged.

    Raises:
        InputError: it is none of these.
    """
    encoding = next((name for bom, name in _BOMS.items() if content.startswith(bom)), None)
    if encoding is None and b"\0" in content[:64]:
        encoding = "utf-16-le" if content[1:2] == b"\0" else "utf-16-be"
    try:
        return content.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        at = error.start
    try:
        if encoding is not None:
            raise ValueError
        text = content.decode("cp1252")
    except ValueError:
        raise InputError(f"{place}: not text; save it as 'CSV UTF-8'") from None
    around = content[max(0, at - 20) : at + 20].decode("cp1252", "replace").split("\n")
    log.warning("%s is not UTF-8: read as Windows-1252, such as %r", place, max(around, key=len))
    return text


def check_fields(found: list[str], needed: tuple[str, ...], place: str) -> None:
    """Check that the needed fields are among those found; a misspelled one is pointed out.

    Raises:
        InputError: one is missing.
    """
    for name in needed:
        if name not in found:
            near = get_close_matches(name, found, n=1, cutoff=0.5)
            hint = f"; did you mean {name!r} where it says {near[0]!r}?" if near else ""
            raise InputError(
                f"{place}: no field {name!r}, found {', '.join(found) or 'none'}{hint}"
            )


def _refuse_repeated(columns: list[str], path: Path) -> None:
    for name in columns:
        if name and columns.count(name) > 1:
            raise InputError(f"{path}: the column {name!r} is there twice")
