"""Filters as people type them: ``length > 2 and tag = 'walk'``.

One small language for every store: it is parsed to a tree of comparisons, which a store evaluates
on its columns or turns into its own SQL. Nothing that is typed is ever executed.

    filter      =  all { "or" all }
    all         =  term { "and" term }
    term        =  "not" term | "(" filter ")" | comparison
    comparison  =  field ("=" | "!=" | "<" | "<=" | ">" | ">=") value
                |  field "in" "(" value { "," value } ")"
                |  ("contains" | "starts_with") "(" field "," text ")"

Text stands in single or double quotes; a quote within is doubled. ``tag``, ``split`` and
``caption`` may have several values or none: ``tag = 'walk'`` holds where one of them is walk,
``tag != 'walk'`` where none is.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool

from tmr.errors import InputError

NUMBERS = ("start", "end", "length", "window", "fps", "frames")
TEXTS = ("key", "file")
LISTS = {"tag": "tags", "split": "splits", "caption": "captions"}  # field: column
FLAGS = ("mirrored",)
FIELDS = (*TEXTS, *LISTS, *NUMBERS, *FLAGS)

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")"""
    r"""|(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))"""
    r"""|(?P<word>[A-Za-z_]\w*)|(?P<sign><=|>=|!=|<>|==|[=<>(),]))"""
)
_COMPARE: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "=": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}
_FUNCTIONS = ("contains", "starts_with")

Value = str | float | int | bool
Mask = Bool[np.ndarray, " rows"]


@runtime_checkable
class Columns(Protocol):
    """The rows that a filter is evaluated on."""

    def numbers(self, field: str) -> np.ndarray:
        """The value of each row in one of ``NUMBERS`` or ``FLAGS``."""
        ...

    def texts(self, field: str, test: Callable[[tuple[str, ...]], bool]) -> Mask:
        """Which rows pass a test of their values in one of ``TEXTS`` or ``LISTS``."""
        ...


@runtime_checkable
class Filter(Protocol):
    """A condition on the rows of a library."""

    def mask(self, rows: Columns) -> Mask:
        """Which rows pass."""
        ...

    def sql(self) -> str:
        """The same for Lance, in the dialect of DataFusion."""
        ...


@dataclass(frozen=True, slots=True)
class Comparison:
    """A field compared with one value, or with several for ``in``."""

    field: str
    operator: str
    values: tuple[Value, ...]

    def mask(self, rows: Columns) -> Mask:
        """Which rows pass."""
        if self.field in NUMBERS or self.field in FLAGS:
            column = rows.numbers(self.field)
            if self.operator == "in":
                return np.isin(column, np.array(self.values, dtype=np.float64))
            return _COMPARE[self.operator](column, float(self.values[0]))
        wanted, first = frozenset(map(str, self.values)), str(self.values[0])
        tests: dict[str, Callable[[tuple[str, ...]], bool]] = {
            "contains": lambda found: any(first in text for text in found),
            "starts_with": lambda found: any(text.startswith(first) for text in found),
            "!=": wanted.isdisjoint,
        }
        return rows.texts(
            self.field, tests.get(self.operator, lambda found: not wanted.isdisjoint(found))
        )

    def sql(self) -> str:
        """The same for Lance."""
        values = [_literal(value) for value in self.values]
        if self.field in LISTS:
            return self._sql_of_list(values)
        column = f"`{self.field}`"
        if self.operator == "in":
            return f"{column} IN ({', '.join(values)})"
        if self.operator in _FUNCTIONS:
            return f"{self.operator}({column}, {values[0]})"
        return f"{column} {self.operator} {values[0]}"

    def _sql_of_list(self, values: Sequence[str]) -> str:
        column = f"`{LISTS[self.field]}`"
        if self.operator in _FUNCTIONS:
            # Elements never hold a line break, so one in front of each marks where they begin.
            joined = f"concat(chr(10), array_to_string({column}, chr(10)))"
            start = f"concat(chr(10), {values[0]})"
            return f"contains({joined}, {start if self.operator == 'starts_with' else values[0]})"
        one_of = " OR ".join(f"array_has({column}, {value})" for value in values)
        return f"NOT ({one_of})" if self.operator == "!=" else f"({one_of})"


@dataclass(frozen=True, slots=True)
class Not:
    """The rows that do not pass."""

    part: Filter

    def mask(self, rows: Columns) -> Mask:
        """Which rows pass."""
        return ~self.part.mask(rows)

    def sql(self) -> str:
        """The same for Lance."""
        return f"NOT ({self.part.sql()})"


@dataclass(frozen=True, slots=True)
class Joined:
    """The rows that pass both of two filters (``and``), or one of them (``or``)."""

    word: Literal["and", "or"]
    first: Filter
    second: Filter

    def mask(self, rows: Columns) -> Mask:
        """Which rows pass."""
        first, second = self.first.mask(rows), self.second.mask(rows)
        return first & second if self.word == "and" else first | second

    def sql(self) -> str:
        """The same for Lance."""
        return f"({self.first.sql()}) {self.word.upper()} ({self.second.sql()})"


WHOLE_TAKES = Comparison("window", "=", (0.0,))
ORIGINALS = Comparison("mirrored", "=", (False,))


def all_of(*filters: Filter | None) -> Filter | None:
    """The rows that pass every filter; None lets all pass."""
    joined = None
    for some in filters:
        joined = some if joined is None else joined if some is None else Joined("and", joined, some)
    return joined


def keys(wanted: Sequence[str]) -> Filter:
    """The rows of some takes."""
    return Comparison("key", "in", tuple(wanted))


def parse_filter(text: str) -> Filter | None:
    """The filter that a person typed; None, for all rows, where there is nothing but space.

    Raises:
        InputError: it cannot be read, an unknown field, or a value of the wrong kind.
    """
    if not isinstance(text, str):
        raise InputError(f"where={text!r}: expected a filter as a string")
    return _Parser(text).parse() if text.strip() else None


class _Parser:
    """Recursive descent over the tokens of one filter."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str, int]] = []
        position, end = 0, len(text.rstrip())
        while position < end:
            match = _TOKEN.match(text, position)
            if match is None:
                raise self._refusal(f"cannot read {text[position:].strip()[:20]!r}")
            kind = match.lastgroup or ""
            self.tokens.append((kind, match[kind], match.start(kind)))
            position = match.end()
        self.next = 0

    def parse(self) -> Filter:
        found = self._any()
        if self.next < len(self.tokens):
            raise self._refusal(f"expected and, or, or the end before {self._rest()!r}")
        return found

    def _any(self) -> Filter:
        found = self._all()
        while self._accept_word("or"):
            found = Joined("or", found, self._all())
        return found

    def _all(self) -> Filter:
        found = self._term()
        while self._accept_word("and"):
            found = Joined("and", found, self._term())
        return found

    def _term(self) -> Filter:
        if self._accept_word("not"):
            return Not(self._term())
        if self._accept("sign", "("):
            found = self._any()
            self._expect(")")
            return found
        return self._comparison()

    def _comparison(self) -> Filter:
        kind, word, _ = self._peek()
        if kind != "word":
            raise self._refusal(f"expected one of {', '.join(FIELDS)} before {self._rest()!r}")
        self.next += 1
        if word.lower() in _FUNCTIONS and self._accept("sign", "("):
            return self._function(word.lower())
        field = self._field(word)
        if self._accept_word("in"):
            self._expect("(")
            values = [self._value(field)]
            while self._accept("sign", ","):
                values.append(self._value(field))
            self._expect(")")
            return Comparison(field, "in", tuple(values))
        kind, sign, _ = self._peek()
        operator = {"<>": "!=", "==": "="}.get(sign, sign)
        if kind != "sign" or operator not in _COMPARE:
            raise self._refusal(f"expected = != < <= > >= or in before {self._rest()!r}")
        if field not in NUMBERS and operator not in ("=", "!="):
            numbers = ", ".join(NUMBERS)
            raise self._refusal(f"{field} {operator}: only numbers have an order ({numbers})")
        self.next += 1
        return Comparison(field, operator, (self._value(field),))

    def _function(self, name: str) -> Filter:
        kind, word, _ = self._peek()
        field = self._field(word) if kind == "word" else ""
        if field not in (*TEXTS, *LISTS):
            raise self._refusal(f"{name} needs one of {', '.join((*TEXTS, *LISTS))} and a text")
        self.next += 1
        self._expect(",")
        value = self._value(field)
        self._expect(")")
        return Comparison(field, name, (value,))

    def _field(self, word: str) -> str:
        if word.lower() not in FIELDS:
            raise self._refusal(f"unknown field {word}; fields: {', '.join(FIELDS)}")
        return word.lower()

    def _value(self, field: str) -> Value:
        kind, token, _ = self._peek()
        self.next += 1
        value = _value_of(field, kind, token)
        if value is not None:
            return value
        expected = (
            "a number" if field in NUMBERS
            else "true or false" if field in FLAGS
            else f"text in quotes, such as {field} = 'walk'"
        )  # fmt: skip
        raise self._refusal(f"{field} needs {expected}; found {token or 'nothing'}")

    def _peek(self) -> tuple[str, str, int]:
        return self.tokens[self.next] if self.next < len(self.tokens) else ("", "", len(self.text))

    def _rest(self) -> str:
        return self.text[self._peek()[2] :].strip()[:20] or "the end"

    def _accept(self, kind: str, value: str) -> bool:
        found = self._peek()[:2] == (kind, value)
        self.next += found
        return found

    def _accept_word(self, word: str) -> bool:
        kind, token, _ = self._peek()
        found = kind == "word" and token.lower() == word
        self.next += found
        return found

    def _expect(self, sign: str) -> None:
        if not self._accept("sign", sign):
            raise self._refusal(f"expected {sign} before {self._rest()!r}")

    def _refusal(self, reason: str) -> InputError:
        return InputError(
            f"cannot read the filter {self.text!r}: {reason}; write such as "
            "length > 2 and tag = 'walk'"
        )


def _value_of(field: str, kind: str, token: str) -> Value | None:
    """The value that a token stands for, None where it is not of the field's kind."""
    if field in NUMBERS:
        return float(token) if kind == "number" else None
    if field in FLAGS:
        return {"true": True, "false": False}.get(token.lower()) if kind == "word" else None
    return token[1:-1].replace(token[0] * 2, token[0]) if kind == "text" else None


def quoted(text: str) -> str:
    """A text as it stands in a filter."""
    return "'" + text.replace("'", "''") + "'"


def _literal(value: Value) -> str:
    if isinstance(value, str):
        return quoted(value)
    return str(value).lower() if isinstance(value, bool) else repr(float(value))
