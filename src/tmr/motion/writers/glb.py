"""GLB files (binary glTF 2.0): a figure of simple limbs on an animated skeleton."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from jaxtyping import Float, Int

from tmr.io import atomic_path
from tmr.motion.rig import CHILDREN, Rig, rig_of
from tmr.motion.skeleton import FPS, JOINTS, PARENTS, joint

# Base colors as in tmr.motion.contact_sheet, by the side that a joint's name begins with.
COLORS = {"left": "#e07a1f", "right": "#2878b5", "": "#5c636c"}

# Radius in meters of the limb that ends at a joint: at its beginning, at its end.
RADII = {
    "hip": (0.075, 0.07),
    "knee": (0.07, 0.05),
    "ankle": (0.05, 0.034),
    "foot": (0.036, 0.026),
    "spine1": (0.085, 0.085),
    "spine2": (0.085, 0.09),
    "spine3": (0.09, 0.095),
    "collar": (0.07, 0.055),
    "shoulder": (0.055, 0.046),
    "elbow": (0.044, 0.034),
    "wrist": (0.034, 0.024),
    "neck": (0.06, 0.042),
    "head": (0.042, 0.042),
}
HEAD_RADIUS = 0.1
_SEGMENTS, _RINGS = 16, 4  # around a limb, and on each of its round ends

_FLOAT, _UBYTE, _USHORT = 5126, 5121, 5123
_KINDS = {1: "SCALAR", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
_TYPES = {np.dtype("<f4"): _FLOAT, np.dtype("u1"): _UBYTE, np.dtype("<u2"): _USHORT}
_VERTICES, _INDICES = 34962, 34963  # targets of buffer views


def write_glb(
    path: Path | str, joints: Float[np.ndarray, "frames 22 3"], name: str = "motion"
) -> None:
    """Write a clip (meters, Y up, 20 frames a second) as a GLB file, atomically.

    See :func:`glb_bytes`.
    """
    content = glb_bytes(joints, name)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def glb_bytes(joints: Float[np.ndarray, "frames 22 3"], name: str = "motion") -> bytes:
    """A GLB file of a clip: 22 nodes with our joint names, a skinned figure, one animation.

    Left limbs are orange, right ones blue. Every joint of the skeleton is within 0.2 mm of where
    the clip has it; its pelvis keeps the clip's path. At rest the figure stands in T-pose at the
    origin, facing +Z. ``name`` is that of the animation and the armature. Raises InputError for
    what :func:`rig_of` refuses.
    """
    rig = rig_of(joints)
    file = _File()
    rest = _rest_positions(rig)
    skin = len(JOINTS)
    nodes: list[dict[str, Any]] = [
        {
            "name": JOINTS[j],
            "translation": (rest[0] if j == 0 else rig.offsets[j]).tolist(),
            **({"children": list(CHILDREN[j])} if CHILDREN[j] else {}),
        }
        for j in range(len(JOINTS))
    ]
    nodes.append({"name": "figure", "mesh": 0, "skin": 0})
    nodes.append({"name": name, "children": [0]})  # what Blender makes its armature of
    to_joint = np.tile(np.eye(4), (len(JOINTS), 1, 1))
    to_joint[:, 3, :3] = -rest  # column after column, as glTF has its matrices
    document = {
        "asset": {"version": "2.0", "generator": "tmr"},
        "scene": 0,
        "scenes": [{"name": name, "nodes": [skin + 1, skin]}],
        "nodes": nodes,
        "materials": [_material(side, color) for side, color in COLORS.items()],
        "meshes": [{"name": "figure", "primitives": _primitives(file, rest)}],
        "skins": [
            {
                "joints": list(range(len(JOINTS))),
                "skeleton": 0,
                "inverseBindMatrices": file.add(to_joint.reshape(-1, 16)),
            }
        ],
        "animations": [{"name": name, **_animation(file, rig)}],
        "accessors": file.accessors,
        "bufferViews": file.views,
        "buffers": [{"byteLength": len(file.content)}],
    }
    return _container(orjson.dumps(document), bytes(file.content))


class _File:
    """Collects arrays in the binary chunk, each with its buffer view and accessor."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def add(
        self, array: np.ndarray, target: int | None = None, bounds: bool = False, unit: bool = False
    ) -> int:
        """The number of the accessor of a new array; floats become float32.

        ``bounds`` states the least and greatest values, which glTF wants of some arrays; ``unit``
        reads whole numbers as parts of their greatest.
        """
        array = array.astype("<f4") if array.dtype.kind == "f" else array
        width = array.shape[1] if array.ndim == 2 else 1
        self.content += bytes(-len(self.content) % 4)
        view: dict[str, Any] = {
            "buffer": 0, "byteOffset": len(self.content), "byteLength": array.nbytes,
        }  # fmt: skip
        if target is not None:
            view["target"] = target
        accessor: dict[str, Any] = {
            "bufferView": len(self.views),
            "componentType": _TYPES[array.dtype],
            "count": len(array),
            "type": _KINDS[width],
        }
        if bounds:
            table = array.reshape(len(array), width)
            accessor |= {"min": table.min(axis=0).tolist(), "max": table.max(axis=0).tolist()}
        if unit:
            accessor["normalized"] = True
        self.content += array.tobytes()
        self.views.append(view)
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def _animation(file: _File, rig: Rig) -> dict[str, Any]:
    times = file.add(np.arange(len(rig.turns)) / FPS, bounds=True)
    channels, samplers = [], []

    def animate(j: int, path: str, values: np.ndarray) -> None:
        channels.append({"sampler": len(samplers), "target": {"node": j, "path": path}})
        samplers.append({"input": times, "output": file.add(values), "interpolation": "LINEAR"})

    for j in range(len(JOINTS)):
        if rig.moving[j]:
            animate(j, "translation", rig.places[:, j])
        if CHILDREN[j]:
            animate(j, "rotation", rig.turns[:, j, [1, 2, 3, 0]])  # glTF has the scalar last
    return {"channels": channels, "samplers": samplers}


def _rest_positions(rig: Rig) -> Float[np.ndarray, "22 3"]:
    """The joints in T-pose, standing on the floor above the origin."""
    rest = rig.offsets.copy()
    for j, parent in enumerate(PARENTS[1:], start=1):
        rest[j] += rest[parent]
    rest[:, 1] -= rest[:, 1].min() - RADII["foot"][1]
    return rest


def _material(side: str, color: str) -> dict[str, Any]:
    encoded = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return {
        "name": side or "trunk",
        "pbrMetallicRoughness": {
            "baseColorFactor": [*linear.tolist(), 1.0],
            "metallicFactor": 0.0,
            "roughnessFactor": 0.65,
        },
    }


@dataclass(frozen=True, slots=True)
class _Surface:
    """Triangles that one joint carries."""

    points: Float[np.ndarray, "points 3"]
    normals: Float[np.ndarray, "points 3"]
    triangles: Int[np.ndarray, "triangles 3"]
    carrier: int


def _primitives(file: _File, rest: Float[np.ndarray, "22 3"]) -> list[dict[str, Any]]:
    """The limbs, one primitive for each color."""
    limbs: dict[str, list[_Surface]] = {side: [] for side in COLORS}
    for j, parent in enumerate(PARENTS[1:], start=1):
        side, _, part = JOINTS[j].rpartition("_")
        limbs[side].append(_limb(rest[parent], rest[j], *RADII[part], carrier=parent))
    head = joint("head")
    crown = rest[head] + np.array([0.0, 0.6 * HEAD_RADIUS, 0.0])
    low, high = (crown + np.array([0.0, y * HEAD_RADIUS, 0.0]) for y in (-0.15, 0.25))
    limbs[""].append(_limb(low, high, HEAD_RADIUS, 0.94 * HEAD_RADIUS, carrier=head))
    return [_primitive(file, limbs[side], number) for number, side in enumerate(COLORS)]


def _primitive(file: _File, surfaces: list[_Surface], material: int) -> dict[str, Any]:
    first = np.cumsum([0, *(len(s.points) for s in surfaces)])
    carriers = np.concatenate([np.full(len(s.points), s.carrier) for s in surfaces])
    alone = np.array([1, 0, 0, 0])
    triangles = np.concatenate([s.triangles + n for s, n in zip(surfaces, first, strict=False)])
    return {
        "attributes": {
            "POSITION": file.add(
                np.concatenate([s.points for s in surfaces]), _VERTICES, bounds=True
            ),
            "NORMAL": file.add(np.concatenate([s.normals for s in surfaces]), _VERTICES),
            "JOINTS_0": file.add((carriers[:, None] * alone).astype("u1"), _VERTICES),
            "WEIGHTS_0": file.add(
                np.tile(255 * alone, (len(carriers), 1)).astype("u1"), _VERTICES, unit=True
            ),
        },
        "indices": file.add(triangles.reshape(-1).astype("<u2"), _INDICES),
        "material": material,
    }


def _limb(
    begin: Float[np.ndarray, "3"],
    end: Float[np.ndarray, "3"],
    begin_radius: float,
    end_radius: float,
    carrier: int,
) -> _Surface:
    """A tapered cylinder between two points, with half a sphere on each end."""
    axis = end - begin
    length = np.linalg.norm(axis)
    axis = axis / length if length > 0 else np.array([0.0, 1.0, 0.0])
    helper = np.eye(3)[np.argmin(np.abs(axis))]
    u = np.cross(axis, helper)
    u /= np.linalg.norm(u)
    v = np.cross(axis, u)
    around = np.linspace(0, 2 * np.pi, _SEGMENTS, endpoint=False)[:, None]
    outward = np.cos(around) * u + np.sin(around) * v
    lift = np.linspace(0, np.pi / 2, _RINGS + 1)
    # Rings from the pole at the beginning to that at the end: (center, radius, slope of normal).
    rings = [(begin, begin_radius, -a) for a in lift[::-1]] + [(end, end_radius, a) for a in lift]
    normals = np.concatenate([np.cos(a) * outward + np.sin(a) * axis for _, _, a in rings])
    centers = np.concatenate([np.tile(center, (_SEGMENTS, 1)) for center, _, _ in rings])
    radii = np.repeat([radius for _, radius, _ in rings], _SEGMENTS)[:, None]
    return _Surface(centers + radii * normals, normals, _tube(len(rings)), carrier)


def _tube(rings: int) -> Int[np.ndarray, "triangles 3"]:
    """Triangles between rings of points, counter-clockwise seen from outside.

    The first and the last ring are poles: their points are one, so half of the triangles there
    would have no area and are left out.
    """
    here = np.arange(_SEGMENTS)
    beside = (here + 1) % _SEGMENTS
    strips = []
    for ring in range(rings - 1):
        low, high = ring * _SEGMENTS, (ring + 1) * _SEGMENTS
        if ring > 0:
            strips.append(np.stack([low + here, low + beside, high + here], axis=-1))
        if ring < rings - 2:
            strips.append(np.stack([low + beside, high + beside, high + here], axis=-1))
    return np.concatenate(strips)


def _container(document: bytes, binary: bytes) -> bytes:
    """The two chunks of a GLB file (glTF 2.0 specification, chapter 4)."""
    document += b" " * (-len(document) % 4)
    binary += bytes(-len(binary) % 4)
    chunks = b""
    for kind, content in ((b"JSON", document), (b"BIN\0", binary)):
        chunks += len(content).to_bytes(4, "little") + kind + content
    header = b"glTF" + (2).to_bytes(4, "little") + (12 + len(chunks)).to_bytes(4, "little")
    return header + chunks
