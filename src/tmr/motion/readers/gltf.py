"""Skeletons with an animation in GLB, glTF and VRM files, by the package ``pygltflib``."""

from pathlib import Path
from typing import Any

import numpy as np

from tmr.errors import InputError
from tmr.motion.animation import Keyed
from tmr.motion.readers.keyframes import Node, keyed_animation

UP, UNIT = "y", 1.0  # what the format says: Y up, meters
_TYPES = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


def check_ready() -> None:
    """Raise InputError where the optional package is missing."""
    try:
        import pygltflib  # noqa: F401, PLC0415  optional
    except ImportError:
        raise InputError(
            "reading GLB, glTF and VRM files needs the package pygltflib: pip install tmr[gltf]"
        ) from None


def read_gltf(path: Path) -> Keyed:
    """Read the longest animation of a GLB, glTF or VRM file.

    Raises:
        InputError: the package ``pygltflib`` is missing, the file cannot be read, or nothing moves.
    """
    check_ready()
    import pygltflib  # noqa: PLC0415  optional

    try:
        binary = path.read_bytes()[:4] == b"glTF"
        load = pygltflib.GLTF2.load_binary if binary else pygltflib.GLTF2.load_json
        scene = load(str(path))
        return _animation(_Buffers(scene, path), scene)
    except InputError:
        raise
    except Exception as error:  # damaged files make the package raise nearly anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"not a readable glTF file: {reason}") from None


def _animation(buffers: "_Buffers", scene: Any) -> Keyed:
    parents: dict[int, int] = {}
    for i, node in enumerate(scene.nodes):
        for child in node.children or []:
            if parents.setdefault(child, i) != i:
                raise InputError(f"node {child} hangs on two others, {parents[child]} and {i}")
    joints = {joint for skin in scene.skins or [] for joint in skin.joints}
    order = _parents_first(len(scene.nodes), parents)
    row = {old: new for new, old in enumerate(order)}
    nodes = [
        _node(scene.nodes[i], row[parents[i]] if i in parents else -1, i in joints) for i in order
    ]
    animations = [a for a in scene.animations or [] if a.channels]
    if not animations:
        raise InputError("holds no animation of a skeleton")

    def seconds(animation: Any) -> float:
        return max(float(buffers.array(s.input)[-1, 0]) for s in animation.samplers)

    longest = max(animations, key=seconds)
    warnings = []
    if len(animations) > 1:
        name = longest.name or str(animations.index(longest) + 1)
        warnings.append(f"of {len(animations)} animations the longest is read, {name!r}")
    for channel in longest.channels:
        if channel.target.node is None or channel.target.path not in ("rotation", "translation"):
            continue
        sampler = longest.samplers[channel.sampler]
        times, values = buffers.array(sampler.input)[:, 0], buffers.array(sampler.output)
        if sampler.interpolation == "CUBICSPLINE":
            values = values[1::3]  # the values between their tangents
        node = nodes[row[channel.target.node]]
        if channel.target.path == "rotation":
            node.turns = times, values[:, [3, 0, 1, 2]]
        else:
            node.places = times, values
    return keyed_animation(nodes, warnings)


def _parents_first(count: int, parents: dict[int, int]) -> list[int]:
    depth: dict[int, int] = {}
    for i in range(count):
        line = [i]
        while line[-1] in parents and line[-1] not in depth:
            if len(line) > count:
                raise InputError("nodes are their own parents")
            line.append(parents[line[-1]])
        for place, node in enumerate(reversed(line)):
            depth.setdefault(node, depth.get(line[-1], 0) + place)
    return sorted(range(count), key=lambda i: (depth[i], i))


def _node(node: Any, parent: int, is_joint: bool) -> Node:
    if node.matrix is not None:
        matrix = np.array(node.matrix, dtype=float).reshape(4, 4).T
        scale = float(abs(np.linalg.det(matrix[:3, :3])) ** (1 / 3))
        from scipy.spatial.transform import Rotation  # noqa: PLC0415  rarely needed

        x, y, z, w = Rotation.from_matrix(matrix[:3, :3] / scale).as_quat()
        return Node(node.name or "", parent, matrix[:3, 3], np.array([w, x, y, z]), scale, is_joint)
    x, y, z, w = node.rotation or (0.0, 0.0, 0.0, 1.0)
    scale = float(abs(np.prod(node.scale or (1.0, 1.0, 1.0))) ** (1 / 3))
    place = np.array(node.translation or (0.0, 0.0, 0.0), dtype=float)
    return Node(node.name or "", parent, place, np.array([w, x, y, z]), scale, is_joint)


class _Buffers:
    """The arrays of a scene, by the number of their accessor."""

    def __init__(self, scene: Any, path: Path) -> None:
        self.scene = scene
        self.path = path
        self._contents: dict[int, bytes] = {}
        self._arrays: dict[int, np.ndarray] = {}

    def array(self, number: int) -> np.ndarray:
        """The values of an accessor (count, width) as float64."""
        if number not in self._arrays:
            self._arrays[number] = self._read(number)
        return self._arrays[number]

    def _read(self, number: int) -> np.ndarray:
        accessor = self.scene.accessors[number]
        if accessor.bufferView is None or accessor.sparse is not None:
            raise InputError("sparse arrays of keyframes are not read")
        view = self.scene.bufferViews[accessor.bufferView]
        dtype, width = np.dtype(_TYPES[accessor.componentType]), _WIDTHS[accessor.type]
        start = (view.byteOffset or 0) + (accessor.byteOffset or 0)
        stride = view.byteStride or width * dtype.itemsize
        content = self._content(view.buffer)
        rows = np.ndarray(
            (accessor.count, width), dtype, content, start, (stride, dtype.itemsize)
        ).astype(np.float64)
        if accessor.normalized and dtype.kind in "iu":
            rows = np.maximum(rows / np.iinfo(dtype).max, -1.0)
        if not np.isfinite(rows).all():
            raise InputError("keyframes hold NaN or infinite values")
        return rows

    def _content(self, number: int) -> bytes:
        if number not in self._contents:
            uri = self.scene.buffers[number].uri
            if uri is None:
                content = self.scene.binary_blob()
            elif uri.startswith("data:"):
                content = self.scene.get_data_from_buffer_uri(uri)
            else:
                file = (self.path.parent / uri).resolve()
                if not file.is_relative_to(self.path.parent.resolve()):
                    raise InputError(f"its buffer {uri!r} is outside of its folder")
                content = file.read_bytes()
            self._contents[number] = content
        return self._contents[number]
