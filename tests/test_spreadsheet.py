"""CSV files as spreadsheets and people write them."""

import logging
from pathlib import Path

import pytest

from tmr.errors import InputError
from tmr.spreadsheet import read_rows

TEXT = 'path,caption\na.bvh,"a chassé, to the left"\n\nb.bvh,it is a café\n'
ROWS = [
    (2, {"path": "a.bvh", "caption": "a chassé, to the left"}),
    (4, {"path": "b.bvh", "caption": "it is a café"}),
]


def table(folder: Path, content: bytes) -> Path:
    (folder / "t.csv").write_bytes(content)
    return folder / "t.csv"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]
)
def test_every_encoding_of_excel_is_read(tmp_path, encoding, caplog):
    assert list(read_rows(table(tmp_path, TEXT.encode(encoding)))) == ROWS
    warned = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warned) == (encoding == "cp1252")
    assert all("is not UTF-8: read as Windows-1252, such as" in text for text in warned)


@pytest.mark.parametrize("separator", [";", "\t", "|"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_the_separator_is_that_of_the_header(tmp_path, separator, line_end):
    text = f'path{separator}caption\n"a{separator}b"{separator} he says ""hi"", and goes\n'
    text = text.replace(' he says ""hi"", and goes', '"he says ""hi"", and goes"')
    rows = list(read_rows(table(tmp_path, text.replace("\n", line_end).encode())))
    assert rows == [(2, {"path": f"a{separator}b", "caption": 'he says "hi", and goes'})]
    named = f"sep={separator}\n{text}".replace("\n", line_end)
    assert [row for _, row in read_rows(table(tmp_path, named.encode()))] == [rows[0][1]]


def test_empty_columns_and_cells_are_no_matter(tmp_path):
    rows = list(read_rows(table(tmp_path, b"path,,caption,,\na, ,b,,\nc\n"), "path", "caption"))
    assert rows == [(2, {"path": "a", "caption": "b"}), (3, {"path": "c", "caption": ""})]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"path,caption\na,b,c", "line 2: 2 columns expected, more found"),
        (b"path,caption,\na,b,c", "line 2: 3 columns expected, more found"),
        (b"path,path\na,b", "the column 'path' is there twice"),
        (b"", "no field 'path', found none"),
        (b"paths;caption\na;b", "did you mean 'path' where it says 'paths'"),
        (b'path,caption\na,"b', "line 2: unexpected end of data"),
        (b"path,caption\na,\x81\x8d", "not text; save it as 'CSV UTF-8'"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        list(read_rows(table(tmp_path, content), "path"))


def test_a_workbook_is_told_from_a_table(tmp_path):
    (tmp_path / "t.xlsx").write_bytes(b"PK")
    with pytest.raises(InputError, match="is a workbook; save the sheet as 'CSV UTF-8'"):
        list(read_rows(tmp_path / "t.xlsx"))
