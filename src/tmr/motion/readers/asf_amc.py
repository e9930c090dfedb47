"""Acclaim's ASF/AMC files: a skeleton, and beside it the rotations of its bones, frame by frame.

The form in which the CMU Graphics Lab Motion Capture Database has its takes. A bone of the
skeleton is a joint at its beginning here, and the free end of a last bone is a point without name.
"""

import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from tmr.errors import InputError
from tmr.motion import rotations
from tmr.motion.animation import Keyed, check_size

CMU_FPS = 120.0
_ROOT = "root"
_AXES = "xyz"
_NAME = re.compile(r"^[ \t]*([A-Za-z]\S*)", re.MULTILINE)
_COMMENT = re.compile(r"^[ \t]*#.*$|^:.*$", re.MULTILINE)


@dataclass(slots=True)
class _Bone:
    """A bone of an ASF file: its vector, the axes of its rotations, and its channels."""

    vector: np.ndarray
    axes: np.ndarray  # quaternion
    channels: list[str]
    parent: str = ""


def skeleton_of(path: Path) -> Path:
    """The ASF file of an AMC file: SUBJECT.asf for SUBJECT_TAKE.amc, or the only one beside it.

    Raises:
        InputError: there is none.
    """
    for name in (path.stem, path.stem.rpartition("_")[0]):
        for suffix in (".asf", ".ASF"):
            if name and path.with_name(name + suffix).is_file():
                return path.with_name(name + suffix)
    beside = [p for p in sorted(path.parent.iterdir()) if p.suffix.lower() == ".asf"]
    if len(beside) == 1:
        return beside[0]
    wanted = path.with_name((path.stem.rpartition("_")[0] or path.stem) + ".asf")
    raise InputError(f"no skeleton for it: expected {wanted.name} beside it")


def read_amc(path: Path) -> Keyed:
    """Read an AMC file with its skeleton.

    Raises:
        InputError: the skeleton is missing, or one of the files is damaged or fits not the other.
    """
    skeleton = skeleton_of(path)
    bones, order = _read_asf(skeleton)
    moved, values = _read_frames(path, bones)
    names, parents, offsets = _joints(bones, order)
    turns = np.tile(rotations.IDENTITY, (len(names), len(values), 1))
    places = np.repeat(offsets[:, None], len(values), axis=1)
    column = 0
    for name in moved:
        bone, joint = bones[name], names.index(name)
        turn = np.tile(rotations.IDENTITY, (len(values), 1))
        for channel in bone.channels:
            kind, axis = channel[0], _AXES.index(channel[1])
            if kind == "t":
                places[joint, :, axis] = offsets[joint, axis] + values[:, column]
            else:
                half = np.deg2rad(values[:, column]) / 2
                step = np.zeros((len(values), 4))
                step[:, 0], step[:, 1 + axis] = np.cos(half), np.sin(half)
                turn = rotations.multiply(step, turn)  # about fixed axes, in the listed order
            column += 1
        turns[joint] = rotations.multiply(
            rotations.multiply(bone.axes, turn), rotations.inverse(bone.axes)
        )
    rest = np.tile(rotations.IDENTITY, (len(names), 1))
    note = f"an AMC file does not state its frame rate: read at the {CMU_FPS:g} of the CMU database"
    return Keyed(names, parents, offsets, rest, turns, places, CMU_FPS, (note,))


def _joints(
    bones: dict[str, _Bone], order: list[str]
) -> tuple[tuple[str, ...], tuple[int, ...], Float[np.ndarray, "joints 3"]]:
    names, parents, offsets = [], [], []
    for name in order:
        bone = bones[name]
        names.append(name)
        parents.append(names.index(bone.parent) if bone.parent else -1)
        # A joint is where the bone before it ends; the root's vector is its own place.
        offsets.append(bones[bone.parent].vector if bone.parent not in ("", _ROOT) else np.zeros(3))
    offsets[0] = bones[_ROOT].vector
    carrying = set(parents)
    for joint, name in enumerate(order):
        if joint not in carrying:
            names.append("")
            parents.append(joint)
            offsets.append(bones[name].vector)
    return tuple(names), tuple(parents), np.array(offsets)


def _read_asf(path: Path) -> tuple[dict[str, _Bone], list[str]]:
    """The bones by name, and their names, each after its parent's."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    sections = {
        part.split(None, 1)[0].lower(): part for part in re.split(r"^\s*:", text, flags=re.M)[1:]
    }
    for needed in ("root", "bonedata", "hierarchy"):
        if needed not in sections:
            raise InputError(f"{path}: not an ASF file: expected a section :{needed}")
    degrees = 1.0 if "rad" not in sections.get("units", "") else np.rad2deg(1.0)
    root = _fields(sections["root"])
    numbers = _numbers(path, root.get("position", ["0"] * 3))
    channels = [word.lower() for word in root.get("order", ["TX", "TY", "TZ", "RX", "RY", "RZ"])]
    turn = _numbers(path, root.get("orientation", ["0"] * 3)) * degrees
    axes = _turn_about(turn, "".join(root.get("axis", ["XYZ"])))
    bones = {_ROOT: _Bone(numbers, axes, _checked(path, channels))}
    for part in re.split(r"^\s*begin\s*$", sections["bonedata"], flags=re.M)[1:]:
        found = _fields(part)
        if not {"name", "direction", "length", "axis"} <= found.keys():
            raise InputError(f"{path}: a bone without name, direction, length or axis")
        length = _numbers(path, found["length"])[0]
        *turn, axis_order = found["axis"]
        bones[found["name"][0]] = _Bone(
            _numbers(path, found["direction"]) * length,
            _turn_about(_numbers(path, turn) * degrees, axis_order),
            _checked(path, [word.lower() for word in found.get("dof", [])]),
        )
    check_size(len(bones), 0)
    order = [_ROOT]
    for line in sections["hierarchy"].splitlines():
        parent, *children = line.split() or ["begin"]
        if parent in ("begin", "end", "hierarchy"):
            continue
        for child in children:
            if child not in bones or parent not in order or child in order:
                raise InputError(f"{path}: cannot make sense of {line.strip()!r} in its hierarchy")
            bones[child].parent = parent
            order.append(child)
    return bones, order


def _fields(section: str) -> dict[str, list[str]]:
    """The first word of each line, and the words behind it."""
    lines = (line.split() for line in section.splitlines())
    return {words[0].lower(): words[1:] for words in lines if words}


def _numbers(path: Path, words: list[str]) -> np.ndarray:
    try:
        return np.array([float(word) for word in words])
    except ValueError:
        raise InputError(f"{path}: expected numbers, found {' '.join(words)!r}") from None


def _checked(path: Path, channels: list[str]) -> list[str]:
    for channel in channels:
        if len(channel) != 2 or channel[0] not in "tr" or channel[1] not in _AXES:
            raise InputError(f"{path}: unknown degree of freedom {channel!r}, expected rx, ty, ...")
    return channels


def _turn_about(angles: np.ndarray, order: str) -> Float[np.ndarray, " 4"]:
    """The rotation by angles about fixed axes, one behind the other."""
    turn = rotations.IDENTITY
    for angle, axis in zip(np.deg2rad(angles) / 2, order.lower(), strict=False):
        step = np.zeros(4)
        step[0], step[1 + _AXES.index(axis)] = np.cos(angle), np.sin(angle)
        turn = rotations.multiply(step, turn)
    return turn


def _read_frames(
    path: Path, bones: dict[str, _Bone]
) -> tuple[list[str], Float[np.ndarray, "frames channels"]]:
    """The bones of a frame in their order, and the values of their channels."""
    text = path.read_text(encoding="utf-8", errors="replace")
    radians = re.search(r"^\s*:radians", text, re.IGNORECASE | re.MULTILINE) is not None
    text = _COMMENT.sub("", text)
    names = _NAME.findall(text)
    order = list(dict.fromkeys(names))
    unknown = [name for name in order if name not in bones]
    if not names or unknown:
        found = f"bone {unknown[0]!r}, which its skeleton lacks" if unknown else "no frame"
        raise InputError(f"found {found}")
    frames = len(names) // len(order)
    check_size(0, frames)
    channels = sum(len(bones[name].channels) for name in order)
    with warnings.catch_warnings():
        # As in the reader of BVH: only this warning may become an error, for all threads.
        warnings.filterwarnings("error", "string or file could not be read", DeprecationWarning)
        try:
            values = np.fromstring(_NAME.sub(" ", text), sep=" ")
        except (DeprecationWarning, ValueError):
            values = np.empty(0)
    if order * frames != names or values.size != frames * (channels + 1):
        raise _fault(path, bones)
    values = values.reshape(frames, channels + 1)[:, 1:]
    if radians:
        turns = [channel[0] == "r" for name in order for channel in bones[name].channels]
        values = np.where(turns, np.rad2deg(values), values)
    return order, values


def _fault(path: Path, bones: dict[str, _Bone]) -> InputError:
    """The first line that is not a bone with as many values as it has degrees of freedom."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or words[0][0] in "#:":
            continue
        expected = 0 if words[0] not in bones else len(bones[words[0]].channels)
        try:
            [float(word) for word in words[1:]]
        except ValueError:
            return InputError(f"line {number}: expected numbers, found {line.strip()!r}")
        if len(words) != 1 + expected:
            return InputError(
                f"line {number}: found {len(words) - 1} values, expected {expected} for {words[0]}"
            )
    return InputError("frames do not all name the same bones")
