"""BVH files: a hierarchy of joints, then one line of channel values a frame."""

import re
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from tmr.errors import InputError
from tmr.motion import rotations

_AXES = {"X": 0, "Y": 1, "Z": 2}
_NOTHING, _END_SITE = -1, -2
_TOO_MUCH = 1e7  # of any unit of length, and of degrees
_MOTION = re.compile(
    r"^[ \t]*MOTION\s+Frames:\s*(?P<frames>\d+)\s+Frame Time:\s*(?P<time>[-+.\deE]+)[ \t\r]*\n?",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Bvh:
    """The content of a BVH file, in the file's own units and degrees.

    A joint comes after its parent; the parent of the root is -1. End Sites are left out: they
    carry no motion. ``channels`` are (joint, kind, axis), kind being "position" or "rotation",
    in the order of the columns of ``values``.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Float[np.ndarray, "joints 3"]
    channels: tuple[tuple[int, str, int], ...]
    frame_time: float
    values: Float[np.ndarray, "frames channels"]

    @property
    def fps(self) -> float:
        """Frames a second, rounded to a whole number where the frame time has lost digits."""
        fps = 1 / self.frame_time
        return float(round(fps)) if abs(fps - round(fps)) < 1e-4 * fps else fps

    def without_first_frame(self) -> "Bvh":
        """The same file without its first frame, which in some collections is a T-pose."""
        return replace(self, values=self.values[1:])

    def joint_positions(self) -> Float[np.ndarray, "frames joints 3"]:
        """Positions of all joints in the world, in the file's units.

        Position channels take the place of the OFFSET of their joint, axis by axis. Rotation
        channels multiply in the order in which they are listed.
        """
        # Joints are the first axis here, so that those of one step are copied as whole blocks.
        places = np.repeat(self.offsets[:, None], len(self.values), axis=1)
        rotating: list[list[tuple[int, int, int]]] = []
        used = [0] * len(self.names)
        for column, (joint, kind, axis) in enumerate(self.channels):
            if kind == "position":
                places[joint, :, axis] = self.values[:, column]
                continue
            if used[joint] == len(rotating):
                rotating.append([])
            rotating[used[joint]].append((joint, axis, column))
            used[joint] += 1

        # All joints' first rotation channels together, then the second, then the third.
        turns = np.tile(rotations.IDENTITY, (*places.shape[:2], 1))
        for step in rotating:
            joints, axes, columns = (np.array(part) for part in zip(*step, strict=True))
            half = np.deg2rad(self.values.T[columns]) / 2
            turn = np.zeros((*half.shape, 4))
            turn[..., 0] = np.cos(half)
            turn[np.arange(len(joints)), :, 1 + axes] = np.sin(half)
            turns[joints] = rotations.multiply(turns[joints], turn)

        # Joints at the same depth together, from the root outwards.
        for joints, parents in self._levels():
            whole = turns[parents]
            places[joints] = places[parents] + rotations.rotate(whole, places[joints])
            turns[joints] = rotations.multiply(whole, turns[joints])
        return places.swapaxes(0, 1)

    def _levels(self) -> list[tuple[list[int], list[int]]]:
        """(joints, their parents) of every depth below the root."""
        depth = [0] * len(self.names)
        levels: dict[int, tuple[list[int], list[int]]] = {}
        for joint, parent in enumerate(self.parents):
            if parent < 0:
                continue
            depth[joint] = depth[parent] + 1
            joints, parents = levels.setdefault(depth[joint], ([], []))
            joints.append(joint)
            parents.append(parent)
        return [levels[d] for d in sorted(levels)]


def read_bvh(path: Path | str) -> Bvh:
    """The content of a BVH file.

    Raises InputError, with the line, for a file that is not BVH, a hierarchy that does not close,
    an unknown channel, a number that cannot be read or be meant, and fewer or more values
    than the header promises.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    start = _MOTION.search(text)
    if not text.lstrip().startswith("HIERARCHY") or start is None:
        raise InputError(f"{path}: not a BVH file: expected a HIERARCHY and a MOTION section")
    hierarchy = _Hierarchy(path)
    for number, line in enumerate(text[: start.start()].splitlines(), 1):
        # Some writers put the brace on the line of the joint.
        for piece in re.findall(r"[{}]|[^{}]+", line):
            hierarchy.read(piece.split(), number)
    hierarchy.close()
    frames, frame_time = _header(path, start["frames"], start["time"])
    if frames < 1 or not 0 < frame_time < np.inf:
        raise InputError(f"{path}: found {frames} frames of {frame_time} s, expected at least one")
    return Bvh(
        tuple(hierarchy.names),
        tuple(hierarchy.parents),
        np.array(hierarchy.offsets),
        tuple(hierarchy.channels),
        frame_time,
        _read_values(path, text, start.end(), frames, len(hierarchy.channels)),
    )


def _header(path: Path, frames: str, frame_time: str) -> tuple[int, float]:
    try:
        return int(frames), float(frame_time)
    except ValueError:
        raise InputError(
            f"{path}: found {frames:.20} frames of {frame_time:.20} s, expected two numbers"
        ) from None


class _Hierarchy:
    """Reads the lines of a HIERARCHY section."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names: list[str] = []
        self.parents: list[int] = []
        self.offsets: list[list[float]] = []
        self.channels: list[tuple[int, str, int]] = []
        self._open: list[int] = []  # joints whose braces are open; END_SITE for an End Site
        self._named = _NOTHING

    def read(self, words: list[str], number: int) -> None:
        """Take in the words of one line, or of the part of it before or after a brace."""
        match words:
            case [] | ["HIERARCHY"]:
                pass
            case ["ROOT" | "JOINT", _, *_]:
                self.names.append(" ".join(words[1:]))
                self.parents.append(self._open[-1] if self._open else -1)
                self.offsets.append([np.nan] * 3)
                self._named = len(self.names) - 1
            case ["End", "Site", *_]:
                self._named = _END_SITE
            case ["{"] if self._named != _NOTHING:
                self._open.append(self._named)
                self._named = _NOTHING
            case ["}"] if self._open:
                self._open.pop()
            case ["OFFSET", *numbers] if self._open and len(numbers) == 3:
                if self._open[-1] != _END_SITE:
                    self.offsets[self._open[-1]] = [self._number(n, number) for n in numbers]
            case ["CHANNELS", count, *channels] if self._open and count == str(len(channels)):
                for channel in channels:
                    self.channels.append((self._open[-1], *self._channel(channel, number)))
            case _:
                raise self._error(number, f"cannot make sense of {' '.join(words)!r}")

    def close(self) -> None:
        """Check that the section is whole."""
        if self._open or not self.channels:
            raise InputError(f"{self.path}: the HIERARCHY section is cut short")
        for name, offset in zip(self.names, self.offsets, strict=True):
            if np.isnan(offset).any():
                raise InputError(f"{self.path}: joint {name!r} has no OFFSET")

    def _channel(self, name: str, number: int) -> tuple[str, int]:
        axis, kind = name[:1].upper(), name[1:].lower()
        if axis not in _AXES or kind not in ("position", "rotation"):
            raise self._error(
                number,
                f"unknown channel {name!r}, expected Xposition, Yrotation and the like",
            )
        return kind, _AXES[axis]

    def _number(self, word: str, number: int) -> float:
        if not _is_plausible(word):
            raise self._error(number, f"{word!r} is not a plausible number")
        return float(word)

    def _error(self, number: int, what: str) -> InputError:
        return InputError(f"{self.path}, line {number}: {what}")


def _read_values(path: Path, text: str, start: int, frames: int, channels: int) -> np.ndarray:
    """Channel values (frames, channels), read in one go; a fault is looked up line by line."""
    with warnings.catch_warnings():
        # Where the text stops being numbers, NumPy warns; later versions will raise.
        warnings.simplefilter("error", DeprecationWarning)
        try:
            values = np.fromstring(text[start:], sep=" ")
        except (DeprecationWarning, ValueError):
            values = np.empty(0)
    if values.size != frames * channels or not (np.abs(values) < _TOO_MUCH).all():
        raise _fault(path, text, start, frames, channels)
    return values.reshape(frames, channels)


def _fault(path: Path, text: str, start: int, frames: int, channels: int) -> InputError:
    first = text.count("\n", 0, start) + 1
    found = 0
    for number, line in enumerate(text[start:].split("\n"), first):
        words = line.split()
        if not words:
            continue
        where = f"{path}, line {number}"
        if len(words) != channels:
            return InputError(f"{where}: found {len(words)} values, expected {channels} a frame")
        for word in words:
            if not _is_plausible(word):
                return InputError(f"{where}: {word!r} is not a plausible number")
        found += 1
    return InputError(f"{path}: found {found} frames, but the header promises {frames}")


def _is_plausible(word: str) -> bool:
    try:
        return abs(float(word)) < _TOO_MUCH
    except ValueError:
        return False
