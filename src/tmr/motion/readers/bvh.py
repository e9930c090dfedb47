"""BVH files: a hierarchy of joints, then one line of channel values a frame.

The format was never standardized, so what Blender and three.js read is read here too, with a
warning: other spellings of keywords, decimal commas, comments, other encodings, and a number of
frames that is not the one of the header.
"""

import codecs
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from tmr.errors import InputError
from tmr.motion import rotations
from tmr.motion.animation import MAX_JOINTS, check_size

_AXES = {"X": 0, "Y": 1, "Z": 2}
_MAX_DEPTH = 500  # braces within braces; hair and tails have dozens
_TOO_MUCH = 1e7  # of any unit of length, and of degrees
_HIERARCHY = re.compile(r"^[ \t]*HIERARCHY\b", re.MULTILINE | re.IGNORECASE)
_MOTION = re.compile(
    r"^[ \t}]*MOTION\s+Frames\s*:?\s*(?P<frames>\S+)\s+Frame\s*Time\s*:?[ \t]*(?P<time>[^\s]*)",
    re.MULTILINE | re.IGNORECASE,
)
_COMMENT = re.compile(r"^[ \t]*(#|//|;).*$", re.MULTILINE)
_KEYWORDS = {"ROOT", "JOINT", "END", "OFFSET", "CHANNELS"}
_ENCODINGS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True, slots=True)
class Bvh:
    """The content of a BVH file, in the file's own units and degrees.

    A joint comes after its parent; the parent of a root is -1. End Sites are joints without a
    name. ``channels`` are (joint, kind, axis), kind being "position" or "rotation", in the order
    of the columns of ``values``. ``frame_time`` is None where the file has no usable one.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Float[np.ndarray, "joints 3"]
    channels: tuple[tuple[int, str, int], ...]
    frame_time: float | None
    values: Float[np.ndarray, "frames channels"]
    warnings: tuple[str, ...] = ()

    @property
    def fps(self) -> float | None:
        """Frames a second, rounded to a whole number where the frame time has lost digits."""
        if self.frame_time is None:
            return None
        fps = 1 / self.frame_time
        return float(round(fps)) if abs(fps - round(fps)) < 1e-4 * fps else fps

    @property
    def num_frames(self) -> int:
        """Frames of the file."""
        return len(self.values)

    @property
    def rest_turns(self) -> Float[np.ndarray, "joints 4"]:
        """The identity for every joint: at rest all channels are zero."""
        return np.tile(rotations.IDENTITY, (len(self.names), 1))

    def local(
        self, joints: Sequence[int], frames: slice
    ) -> tuple[Float[np.ndarray, "joints frames 4"], Float[np.ndarray, "joints frames 3"]]:
        """Rotation and place of joints against their parents.

        Position channels take the place of the OFFSET of their joint, axis by axis. Rotation
        channels multiply in the order in which they are listed.
        """
        values = self.values[frames]
        row = {joint: i for i, joint in enumerate(joints)}
        # Joints are the first axis here, so that those of one step are copied as whole blocks.
        places = np.repeat(self.offsets[np.asarray(joints)][:, None], len(values), axis=1)
        rotating: list[list[tuple[int, int, int]]] = []
        used = [0] * len(joints)
        for column, (joint, kind, axis) in enumerate(self.channels):
            if joint not in row:
                continue
            i = row[joint]
            if kind == "position":
                places[i, :, axis] = values[:, column]
                continue
            if used[i] == len(rotating):
                rotating.append([])
            rotating[used[i]].append((i, axis, column))
            used[i] += 1

        # All joints' first rotation channels together, then the second, then the third.
        turns = np.tile(rotations.IDENTITY, (*places.shape[:2], 1))
        for step in rotating:
            rows, axes, columns = (np.array(part) for part in zip(*step, strict=True))
            half = np.deg2rad(values.T[columns]) / 2
            turn = np.zeros((*half.shape, 4))
            turn[..., 0] = np.cos(half)
            turn[np.arange(len(rows)), :, 1 + axes] = np.sin(half)
            turns[rows] = rotations.multiply(turns[rows], turn)
        return turns, places


def read_bvh(path: Path | str) -> Bvh:
    """Read a BVH file.

    Raises:
        InputError: not BVH, a hierarchy that does not close, an unknown channel, a number that
            cannot be read or be meant, lines of another number of values than there are channels,
            or more joints or frames than a recording of a body has; the line is named.
    """
    path = Path(path)
    try:
        text, notes = _decode(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    begin, start = _HIERARCHY.search(text), _MOTION.search(text)
    if begin is None or start is None:
        raise InputError(f"{path}: not a BVH file: expected a HIERARCHY and a MOTION section")
    hierarchy = _Hierarchy(path, notes)
    hierarchy.read(text, begin.end(), start.start())
    frame_time = _frame_time(path, start["time"], notes)
    values = _read_values(path, text, start, len(hierarchy.channels), notes)
    return Bvh(
        tuple(hierarchy.names),
        tuple(hierarchy.parents),
        np.array(hierarchy.offsets),
        tuple(hierarchy.channels),
        frame_time,
        values,
        tuple(dict.fromkeys(notes)),
    )


def _decode(content: bytes) -> tuple[str, list[str]]:
    """The text of a file in UTF-8 or UTF-16, without comments and marks of old systems."""
    notes = []
    encoding = next((name for mark, name in _ENCODINGS if content.startswith(mark)), None)
    if encoding is None and b"\0" in content[:64]:
        encoding = "utf-16-be" if content[:1] == b"\0" else "utf-16-le"
    if encoding in ("utf-16", "utf-16-be", "utf-16-le"):
        notes.append("the file is UTF-16")
    text = content.decode(encoding or "utf-8", errors="replace")
    text = text.rstrip("\x1a\0 \t\r\n")  # Ctrl-Z ended files on CP/M and DOS
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if any(mark in text for mark in ("#", "//", ";")) and _COMMENT.search(text):
        notes.append("lines that are comments are left out")
        text = _COMMENT.sub("", text)
    return text, notes


def _frame_time(path: Path, word: str, notes: list[str]) -> float | None:
    """Seconds, None for zero: the frame rate can be given in its place."""
    try:
        frame_time = float(_with_point(word, notes))
    except ValueError:
        raise InputError(f"{path}: found Frame Time: {word:.20}, expected seconds") from None
    if not 0 <= frame_time < np.inf:
        raise InputError(f"{path}: found Frame Time: {word:.20}, expected seconds above zero")
    return frame_time or None


def _with_point(word: str, notes: list[str]) -> str:
    if "," not in word:
        return word
    notes.append("decimal commas are read as points")
    return word.replace(",", ".")


class _Hierarchy:
    """Reads a HIERARCHY section, word by word: line breaks do not matter but in names."""

    def __init__(self, path: Path, notes: list[str]) -> None:
        self.path = path
        self.notes = notes
        self.names: list[str] = []
        self.parents: list[int] = []
        self.offsets: list[list[float]] = []
        self.channels: list[tuple[int, str, int]] = []
        self._open: list[int] = []  # joints whose braces are open

    def read(self, text: str, begin: int, end: int) -> None:
        """Read the section in ``text`` between two positions."""
        first = text.count("\n", 0, begin) + 1
        words = _words(text[begin:end], first)
        for word, number in words:
            match word.upper():
                case "ROOT" | "JOINT" | "END" as keyword:
                    self._begin_joint(keyword, words, number)
                case "}" if self._open:
                    self._open.pop()
                case "OFFSET" if self._open:
                    offset = [self._number(*self._next(words, number)) for _ in range(3)]
                    self.offsets[self._open[-1]] = offset
                case "CHANNELS" if self._open:
                    self._read_channels(words, number)
                case _:
                    raise self._error(number, f"cannot make sense of {word!r}")
        if self._open or not self.channels:
            raise InputError(f"{self.path}: the HIERARCHY section is cut short")
        for name, offset in zip(self.names, self.offsets, strict=True):
            if np.isnan(offset).any():
                raise InputError(f"{self.path}: joint {name or 'End Site'!r} has no OFFSET")

    def _begin_joint(self, keyword: str, words: Iterator[tuple[str, int]], number: int) -> None:
        name: list[str] = []
        for word, at in words:
            if word == "{":
                break
            if word == "}" or (word.upper() in _KEYWORDS and at != number):
                raise self._error(at, f"cannot make sense of {word!r}: expected {{")
            name.append(word)
        else:
            raise InputError(f"{self.path}: the HIERARCHY section is cut short")
        if not name:
            raise self._error(number, f"{keyword} has no name")
        self.names.append("" if keyword == "END" else " ".join(name))
        self.parents.append(self._open[-1] if self._open else -1)
        self.offsets.append([np.nan] * 3)
        self._open.append(len(self.names) - 1)
        if len(self._open) > _MAX_DEPTH:
            raise self._error(number, f"more than {_MAX_DEPTH} joints within each other")
        if len(self.names) > MAX_JOINTS:
            check_size(len(self.names), 0)

    def _read_channels(self, words: Iterator[tuple[str, int]], number: int) -> None:
        count, _ = self._next(words, number)
        if not count.isdecimal() or int(count) > 9:
            raise self._error(number, f"found {count!r} channels, expected at most 9")
        for _ in range(int(count)):
            self.channels.append((self._open[-1], *self._channel(*self._next(words, number))))

    def _next(self, words: Iterator[tuple[str, int]], number: int) -> tuple[str, int]:
        for word, at in words:
            return word, at
        raise self._error(number, "the HIERARCHY section is cut short")

    def _channel(self, name: str, number: int) -> tuple[str, int]:
        axis, kind = name[:1].upper(), name[1:].lower()
        if axis not in _AXES or kind not in ("position", "rotation"):
            raise self._error(
                number,
                f"unknown channel {name!r}, expected Xposition, Yrotation and the like",
            )
        return kind, _AXES[axis]

    def _number(self, word: str, number: int) -> float:
        word = _with_point(word, self.notes)
        if not _is_plausible(word):
            raise self._error(number, f"{word!r} is not a plausible number")
        return float(word)

    def _error(self, number: int, what: str) -> InputError:
        return InputError(f"{self.path}, line {number}: {what}")


def _words(text: str, first: int) -> Iterator[tuple[str, int]]:
    """Words and braces with the numbers of their lines."""
    for number, line in enumerate(text.split("\n"), first):
        for word in re.findall(r"[{}]|[^{}\s]+", line):
            yield word, number


def _read_values(
    path: Path, text: str, start: re.Match[str], channels: int, notes: list[str]
) -> Float[np.ndarray, "frames channels"]:
    """Channel values, read in one go; a fault is looked up line by line."""
    try:
        promised = int(start["frames"])
    except ValueError:
        raise InputError(
            f"{path}: found Frames: {start['frames']:.20}, expected a number"
        ) from None
    end = text.find("\n", start.end())
    body = "" if end < 0 else text[end:]
    check_size(0, body.count("\n"))
    if "," in body:
        body = body.replace(",", " " if "." in body else ".")
        notes.append("commas are read as decimal points" if "." not in text[end:] else
                     "commas between values are left out")  # fmt: skip
    with warnings.catch_warnings():
        # Where the text stops being numbers, NumPy warns; later versions will raise. Filters hold
        # for all threads: only this warning may become an error, of this message.
        warnings.filterwarnings("error", "string or file could not be read", DeprecationWarning)
        try:
            values = np.fromstring(body, sep=" ")
        except (DeprecationWarning, ValueError):
            values = np.empty(0)
    regular = values.size > 0 and values.size % channels == 0
    if not regular or values.size != promised * channels:
        _check_lines(path, body, text.count("\n", 0, max(end, 0)) + 1, channels)
        found = values.size // channels
        if found == 0:
            raise InputError(f"{path}: found no frame, but the header promises {promised}")
        notes.append(f"{found} frames are read where the header promises {promised}")
    if not (np.abs(values) < _TOO_MUCH).all():
        _check_lines(path, body, text.count("\n", 0, end) + 1, channels)
    return values.reshape(-1, channels)


def _check_lines(path: Path, body: str, first: int, channels: int) -> None:
    """Raise InputError for the first line that is not a frame."""
    for number, line in enumerate(body.split("\n"), first):
        words = line.split()
        where = f"{path}, line {number}"
        if words and len(words) != channels:
            raise InputError(
                f"{where}: found {len(words)} values, expected {channels} a frame; where the file "
                "was cut short, delete that line"
            )
        for word in words:
            if not _is_plausible(word):
                raise InputError(f"{where}: {word!r} is not a plausible number")


def _is_plausible(word: str) -> bool:
    try:
        return abs(float(word)) < _TOO_MUCH
    except ValueError:
        return False
