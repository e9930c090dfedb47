"""FBX files, by the package ``pufbx``: bindings of ufbx (MIT), which composes pivots and layers.

Of the libraries that read FBX in Python it is the one that is installed by pip alone, reads binary
and text files of all versions, and bakes curves, pre-rotations and pivots into plain rotations.
"""

import re
import struct
from pathlib import Path
from typing import Any

import numpy as np

from tmr.errors import InputError
from tmr.motion.animation import Keyed
from tmr.motion.readers.keyframes import Node, keyed_animation

_BAKE_FPS = 120.0
# Frames a second by the number that a file has as its time mode.
_TIME_MODES = {
    1: 120.0, 2: 100.0, 3: 60.0, 4: 50.0, 5: 48.0, 6: 30.0, 7: 30.0, 8: 30000 / 1001,
    9: 30000 / 1001, 10: 25.0, 11: 24.0, 12: 1000.0, 13: 24000 / 1001, 15: 96.0, 16: 72.0,
    17: 60000 / 1001,
}  # fmt: skip
_SETTINGS = 1 << 20  # bytes in which a file has its global settings


def check_ready() -> None:
    """Raise InputError where the optional package is missing."""
    try:
        import pufbx  # noqa: F401, PLC0415  optional
    except ImportError:
        raise InputError(
            "reading FBX files needs the package pufbx: pip install tmr[fbx]"
        ) from None


def read_fbx(path: Path) -> tuple[Keyed, float | None, str | None]:
    """Read the animation of an FBX file; meters in one unit and the up axis, where it states them.

    Raises:
        InputError: the package ``pufbx`` is missing, the file cannot be read, or nothing moves.
    """
    check_ready()
    import pufbx  # noqa: PLC0415  optional

    content = path.read_bytes()
    try:
        scene = pufbx.load_fbx(str(path))
        stacks = [(stack, _bake(pufbx, scene, stack)) for stack in scene.anim_stacks]
    except Exception as error:  # the bindings raise exceptions of several kinds
        raise InputError(f"not a readable FBX file: {' '.join(str(error).split())}") from None
    stacks = [(stack, baked) for stack, baked in stacks if baked.modified_nodes]
    if not stacks:
        raise InputError("holds no animation of a skeleton")
    stack, baked = max(stacks, key=lambda pair: pair[1].key_time_max - pair[1].key_time_min)
    warnings = []
    if len(stacks) > 1:
        warnings.append(f"of {len(stacks)} animations the longest is read, {stack.name!r}")
    nodes = [_node(node) for node in scene.nodes]
    for moved in baked.modified_nodes:
        node = nodes[moved.typed_id]
        node.turns = _keys(moved.rotation_keys, "wxyz")
        node.places = _keys(moved.translation_keys, "xyz")
    unit = _stated(content, "UnitScaleFactor")
    axis, sign = _stated(content, "UpAxis"), _stated(content, "UpAxisSign")
    up = None if axis not in (0, 1, 2) else ("-" if sign == -1 else "") + "xyz"[int(axis)]
    fps = _TIME_MODES.get(int(_stated(content, "TimeMode") or 0))
    return keyed_animation(nodes, warnings, fps), unit / 100 if unit else None, up


def _bake(pufbx: Any, scene: Any, stack: Any) -> Any:
    return pufbx.bake_anim(scene, stack.anim, resample_rate=_BAKE_FPS, key_reduction_enabled=False)


def _node(node: Any) -> Node:
    at, turn, scale = (getattr(node.local_transform, name) for name in (
        "translation", "rotation", "scale"))  # fmt: skip
    return Node(
        node.name,
        -1 if node.parent is None else node.parent.typed_id,
        np.array([at.x, at.y, at.z]),
        np.array([turn.w, turn.x, turn.y, turn.z]),
        float(abs(scale.x * scale.y * scale.z) ** (1 / 3)),
        node.bone is not None,
    )


def _keys(keys: np.ndarray, axes: str) -> tuple[np.ndarray, np.ndarray] | None:
    if not len(keys):
        return None
    values = np.stack([keys["value"][axis] for axis in axes], axis=-1).astype(np.float64)
    times, first = np.unique(keys["time"], return_index=True)
    return times, values[first]


def _stated(content: bytes, name: str) -> float | None:
    """A number of the file's global settings, which the bindings do not hand out."""
    head = content[:_SETTINGS] if len(content) > _SETTINGS else content
    kind = rb"S.{4}[A-Za-z]*" * 2 + rb"S.{4}[A-Z]*"
    found = re.search(rb"S.{4}" + name.encode() + kind + rb"([ID])(.{8})", head, re.DOTALL)
    if found is not None:
        value = struct.unpack("<d", found[2]) if found[1] == b"D" else struct.unpack(
            "<i", found[2][:4])  # fmt: skip
        return float(value[0])
    text = re.search(rb'"' + name.encode() + rb'"[^\n]*,\s*(-?[\d.]+)\s*$', head, re.MULTILINE)
    return float(text[1]) if text else None
