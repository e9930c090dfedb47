"""A part of a BVH file as a BVH file: the same skeleton, names, units and frame rate."""

import re
from pathlib import Path

import numpy as np

from tmr.errors import InputError
from tmr.io import write_bytes

_MOTION = re.compile(
    rb"^[ \t}]*MOTION\s+Frames\s*:?\s*(?P<frames>\d+)\s+Frame[ \t]*Time\s*:?[ \t]*\S+[^\n]*\n?",
    re.MULTILINE | re.IGNORECASE,
)
_CHANNELS = re.compile(rb"^\s*CHANNELS\s+(\d+)\s+(.*)$", re.MULTILINE | re.IGNORECASE)
_HORIZONTAL = {"x": "yz", "y": "xz", "z": "xy"}  # by the axis that is up


def cut_bvh(
    source: Path | str,
    target: Path | str,
    first: int,
    end: int,
    *,
    motion_frames: int | None = None,
    origin_up: str | None = None,
) -> None:
    """Write the frames [first, end) of a BVH file to another, which begins at time zero.

    The hierarchy and the values are copied as they are written. Where the file has more frames
    than ``motion_frames``, those in front are no motion, such as a T-pose, and are not counted.
    With ``origin_up``, the axis that is up, the root starts above the origin.

    Raises:
        InputError: the source is no BVH file with a line or a whole number of values a frame, or
            has no such frames.
    """
    source = Path(source)
    try:
        content = _utf8(source.read_bytes())
    except OSError as error:
        raise InputError(f"{source}: cannot be read: {error.strerror}") from None
    found = _MOTION.search(content)
    if found is None:
        raise InputError(f"{source}: not a BVH file: expected a MOTION section")
    hierarchy = content[: found.start()]
    channels = [
        name.decode("ascii", "replace").lower()
        for count, names in _CHANNELS.findall(hierarchy)
        for name in names.split()[: int(count)]
    ]
    frames = _frames(content[found.end() :], len(channels))
    if frames is None:
        raise InputError(f"{source}: its values are no whole number of frames")
    skipped = 0 if motion_frames is None else max(len(frames) - motion_frames, 0)
    chosen = frames[skipped + first : skipped + end]
    if first < 0 or not chosen or end - first != len(chosen):
        raise InputError(
            f"{source.name}: found {len(frames) - skipped} frames, expected some from "
            f"{first} to {end} of them"
        )
    if origin_up is not None:
        chosen = _above_origin(chosen, channels, origin_up)
    head = content[: found.start("frames")] + str(len(chosen)).encode()
    head += content[found.end("frames") : found.end()]
    write_bytes(target, head.rstrip(b"\n") + b"\n" + b"\n".join(chosen) + b"\n")


def _utf8(content: bytes) -> bytes:
    """The bytes as they are, but for UTF-16, which becomes UTF-8."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", errors="replace").encode()
    return content


def _frames(body: bytes, channels: int) -> list[bytes] | None:
    """The values of each frame as they are written; None where they do not come out even."""
    lines = [line.strip() for line in body.splitlines() if line.strip()]
    if channels and all(len(line.split()) == channels for line in lines):
        return lines
    words = body.split()
    if not channels or len(words) % channels:
        return None
    return [b" ".join(words[i : i + channels]) for i in range(0, len(words), channels)]


def _above_origin(frames: list[bytes], channels: list[str], up: str) -> list[bytes]:
    """The frames with the root's first place taken from its horizontal positions."""
    moved = []
    wanted = {f"{axis}position" for axis in _HORIZONTAL[up.removeprefix("-")]}
    columns = [channels.index(name) for name in sorted(wanted & {*channels[:6]})]
    start = np.array([float(frames[0].split()[column]) for column in columns])
    for frame in frames:
        words = frame.split()
        for column, value in zip(columns, start, strict=True):
            words[column] = f"{float(words[column]) - value:.6f}".encode()
        moved.append(b" ".join(words))
    return moved
