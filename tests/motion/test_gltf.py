"""GLB files: our own come back, and the forms that others write say the same."""

import base64
import struct
import sys

import numpy as np
import orjson
import pytest

from tmr.errors import InputError
from tmr.motion.conventions import Overrides
from tmr.motion.read import check_readable, read_motion
from tmr.motion.skeleton import JOINTS
from tmr.motion.writers.glb import glb_bytes

pytest.importorskip("pygltflib")

ANKLE = JOINTS.index("left_ankle")


@pytest.fixture(scope="module")
def clip(golden) -> np.ndarray:
    return golden["000002.joints"][:60, :22].astype(float)


def parts(content: bytes) -> tuple[dict, bytes]:
    """Document and binary chunk of a GLB file."""
    (size,) = struct.unpack("<I", content[12:16])
    return orjson.loads(content[20 : 20 + size]), content[20 + size + 8 :]


def as_gltf(document: dict, binary: bytes) -> bytes:
    document["buffers"][0]["uri"] = (
        "data:application/octet-stream;base64," + base64.b64encode(binary).decode()
    )
    return orjson.dumps(document)


def test_our_own_export_comes_back_within_a_millimeter(tmp_path, clip):
    (tmp_path / "clip.glb").write_bytes(glb_bytes(clip))
    take = read_motion(tmp_path / "clip.glb")
    assert take.joints.shape == clip.shape
    assert np.abs(take.joints - clip).max() < 1e-3
    assert (take.reading.unit, take.reading.up, take.reading.fps) == (1, "y", 20)
    assert take.warnings == ()


def test_a_text_file_with_its_buffer_inside_is_read(tmp_path, clip):
    (tmp_path / "clip.gltf").write_bytes(as_gltf(*parts(glb_bytes(clip))))
    assert np.abs(read_motion(tmp_path / "clip.gltf").joints - clip).max() < 1e-3


def test_names_of_vrm_and_a_scaled_root_are_read(tmp_path, clip):
    document, binary = parts(glb_bytes(clip))
    named = {
        "pelvis": "J_Bip_C_Hips", "spine1": "J_Bip_C_Spine", "spine2": "J_Bip_C_Chest",
        "spine3": "J_Bip_C_UpperChest", "neck": "J_Bip_C_Neck", "head": "J_Bip_C_Head",
        "hip": "UpperLeg", "knee": "LowerLeg", "ankle": "Foot", "foot": "ToeBase",
        "collar": "Shoulder", "shoulder": "UpperArm", "elbow": "LowerArm", "wrist": "Hand",
    }  # fmt: skip
    for node in document["nodes"][: len(JOINTS)]:
        side, _, part = node["name"].rpartition("_")
        node["name"] = f"J_Bip_{side[0].upper()}_{named[part]}" if side else named[part]
    # A node above the skeleton that makes everything half as large.
    above = document["scenes"][0]["nodes"][0]
    document["nodes"].append({"name": "Scene", "scale": [0.5] * 3, "children": [above]})
    document["scenes"][0]["nodes"] = [len(document["nodes"]) - 1, len(JOINTS)]
    (tmp_path / "avatar.vrm").write_bytes(as_gltf(document, binary))
    take = read_motion(tmp_path / "avatar.vrm")
    limbs = [JOINTS.index(f"{side}_{n}") for side in ("left", "right")
             for n in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")]  # fmt: skip
    assert np.abs(take.joints - clip / 2)[:, limbs].max() < 1e-3


def test_a_node_placed_by_a_matrix_is_read(tmp_path, clip):
    """Column by column: the rotation and the scale first, the place last."""
    document, binary = parts(glb_bytes(clip))
    above = document["scenes"][0]["nodes"][0]
    turned = [0, 0, -0.5, 0, 0, 0.5, 0, 0, 0.5, 0, 0, 0, 1, 2, 3, 1]  # a quarter about y
    document["nodes"].append({"name": "Scene", "matrix": turned, "children": [above]})
    document["scenes"][0]["nodes"] = [len(document["nodes"]) - 1, len(JOINTS)]
    (tmp_path / "placed.gltf").write_bytes(as_gltf(document, binary))
    x, y, z = np.moveaxis(clip / 2, -1, 0)
    found = read_motion(tmp_path / "placed.gltf").joints
    assert np.abs(found - np.stack([z + 1, y + 2, 3 - x], axis=-1)).max() < 2e-3


def test_of_several_animations_the_longest_is_read(tmp_path, clip):
    document, binary = parts(glb_bytes(clip))
    short = {"name": "idle", "channels": document["animations"][0]["channels"][:1],
             "samplers": [dict(s) for s in document["animations"][0]["samplers"]]}  # fmt: skip
    document["animations"].append(short)
    (tmp_path / "clip.gltf").write_bytes(as_gltf(document, binary))
    take = read_motion(tmp_path / "clip.gltf")
    assert "of 2 animations the longest is read" in take.warnings[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("animations"), "holds no animation"),
        (lambda d: d["nodes"][0]["children"].append(0), "node 0 hangs on two others, 0 and"),
        (lambda d: d["nodes"][-1]["children"].append(len(d["nodes"]) - 1), "their own parents"),
        (lambda d: d["accessors"][0].pop("bufferView"), "sparse arrays of keyframes|not a read"),
        (lambda d: d["accessors"][d["animations"][0]["samplers"][0]["output"]].update(count=10**9),
         "not a readable glTF file"),
        (lambda d: d["buffers"][0].update(uri="../../secret.bin"), "outside of its folder"),
    ],
)  # fmt: skip
def test_damaged_files_are_refused_by_name(tmp_path, clip, change, message):
    document, binary = parts(glb_bytes(clip))
    text = orjson.loads(as_gltf(document, binary))
    change(text)
    (tmp_path / "clip.gltf").write_bytes(orjson.dumps(text))
    if "sparse" in message:
        text["accessors"] = document["accessors"]
        number = text["animations"][0]["samplers"][0]["output"]
        text["accessors"][number].pop("bufferView", None)
        (tmp_path / "clip.gltf").write_bytes(orjson.dumps(text))
    with pytest.raises(InputError, match=message) as caught:
        read_motion(tmp_path / "clip.gltf")
    assert "clip.gltf" in str(caught.value)


@pytest.mark.parametrize(
    ("suffix", "package", "extra"), [("glb", "pygltflib", "gltf"), ("fbx", "pufbx", "fbx")]
)
def test_a_missing_package_is_named_with_its_extra(tmp_path, monkeypatch, suffix, package, extra):
    monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / f"take.{suffix}").write_bytes(b"")
    with pytest.raises(InputError, match=rf"pip install tmr\[{extra}\]"):
        read_motion(tmp_path / f"take.{suffix}")
    with pytest.raises(InputError, match=rf"pip install tmr\[{extra}\]"):
        check_readable([tmp_path / f"take.{suffix}"], Overrides())
