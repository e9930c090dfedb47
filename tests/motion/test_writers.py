import io
import json
import shutil
import struct
import subprocess
import sys
import warnings
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image, ImageSequence
from scipy.spatial.transform import Rotation

from tmr.errors import InputError
from tmr.motion.animation import world_positions
from tmr.motion.readers.bvh import read_bvh
from tmr.motion.rig import T_POSE, rig_of
from tmr.motion.skeleton import BONE_LENGTHS, CHAINS, JOINTS, PARENTS
from tmr.motion.writers import Animation, write_bvh, write_gif, write_glb
from tmr.motion.writers.glb import glb_bytes

with warnings.catch_warnings():
    warnings.simplefilter("ignore", PendingDeprecationWarning)  # it imports PyGLM by its old name
    import bvhio

MILLIMETER = 1e-3


def walk_of(offsets: np.ndarray, turns: Rotation, frames: int) -> np.ndarray:
    """Joints of a skeleton with these offsets whose joint j turns by turns[frame * 22 + j]."""
    matrices = turns.as_matrix().reshape(frames, 22, 3, 3)
    joints = np.zeros((frames, 22, 3))
    whole = matrices.copy()
    joints[:, 0] = [0.1, 0.95, -0.2] + np.linspace(0, 2, frames)[:, None] * [1.0, 0, 1.0]
    for joint, parent in enumerate(PARENTS[1:], start=1):
        joints[:, joint] = joints[:, parent] + whole[:, parent] @ offsets[joint]
        whole[:, joint] = whole[:, parent] @ matrices[:, joint]
    return joints


@pytest.fixture(scope="module")
def rigid() -> np.ndarray:
    """A skeleton of constant bones that turns about, and every joint by up to 0.8 rad."""
    random = np.random.default_rng(0)
    frames = 50
    phase = random.uniform(0, 6, (1, 22, 3)) + np.linspace(0, 4, frames)[:, None, None]
    vectors = 0.45 * np.sin(phase)
    vectors[:, 0] = [0, 1, 0] * np.linspace(0, 9, frames)[:, None]
    offsets = T_POSE * BONE_LENGTHS[:, None]
    return walk_of(offsets, Rotation.from_rotvec(vectors.reshape(-1, 3)), frames)


@pytest.fixture(scope="module")
def stretchy(rigid) -> np.ndarray:
    """The same with every joint moved at random by about 1 cm, in every frame."""
    return rigid + np.random.default_rng(1).normal(scale=0.01, size=rigid.shape)


@pytest.fixture(params=["rigid", "stretchy"])
def clip(request) -> np.ndarray:
    return request.getfixturevalue(request.param)


def farthest(found: np.ndarray, expected: np.ndarray) -> float:
    assert found.shape == expected.shape
    return float(np.linalg.norm(found - expected, axis=-1).max())


def test_only_bones_that_change_their_length_make_joints_move(rigid, stretchy):
    assert np.flatnonzero(rig_of(rigid).moving).tolist() == [0]
    assert rig_of(stretchy).moving.all()


def test_the_rig_of_a_t_pose_does_not_turn():
    offsets = T_POSE * BONE_LENGTHS[:, None]
    rig = rig_of(walk_of(offsets, Rotation.identity(22), 1))
    np.testing.assert_allclose(np.abs(rig.turns[..., 0]), 1, atol=1e-9)
    np.testing.assert_allclose(rig.offsets, offsets, atol=1e-9)


def test_the_rig_follows_turns_of_the_whole_body_alone(rigid):
    """A body turned as a whole has the same local rotations below the pelvis."""
    turned = rigid @ Rotation.from_euler("Y", 130, degrees=True).as_matrix().T
    one, other = rig_of(rigid).turns[:, 1:], rig_of(turned).turns[:, 1:]
    same = np.abs(np.einsum("fjk,fjk->fj", one, other))
    np.testing.assert_allclose(same, 1, atol=1e-6)


def test_a_bvh_file_read_again_gives_the_same_joints(tmp_path, clip):
    write_bvh(tmp_path / "clip.bvh", clip)
    bvh = read_bvh(tmp_path / "clip.bvh")
    order = [bvh.names.index(name) for name in JOINTS]
    assert (bvh.fps, sum(map(bool, bvh.names))) == (20, 22)
    assert farthest(world_positions(bvh, order) / 100, clip) < MILLIMETER


def test_a_bvh_library_finds_the_same_joints_and_frames(tmp_path, clip):
    write_bvh(tmp_path / "clip.bvh", clip)
    file = bvhio.readAsBvh(str(tmp_path / "clip.bvh"))
    assert (file.FrameCount, file.FrameTime) == (len(clip), 0.05)
    root = bvhio.readAsHierarchy(str(tmp_path / "clip.bvh"))
    parents = {
        joint.Name: joint.Parent.Name if joint.Parent else None for joint, _, _ in root.layout()
    }
    assert parents == {
        name: JOINTS[parent] if parent >= 0 else None
        for name, parent in zip(JOINTS, PARENTS, strict=True)
    }
    places = {joint.Name: joint for joint, _, _ in root.layout()}
    found = np.empty_like(clip)
    for frame in range(len(clip)):
        root.loadPose(frame)
        found[frame] = [[*places[name].PositionWorld] for name in JOINTS]
    assert farthest(found / 100, clip) < MILLIMETER


def test_angles_in_a_bvh_file_do_not_jump(tmp_path, rigid):
    """The person turns one and a half times, past every wrap of an angle."""
    write_bvh(tmp_path / "clip.bvh", rigid)
    bvh = read_bvh(tmp_path / "clip.bvh")
    turning = [column for column, (_, kind, _) in enumerate(bvh.channels) if kind == "rotation"]
    assert np.abs(np.diff(bvh.values[:, turning], axis=0)).max() < 45


@pytest.mark.parametrize("quarter", [-90.0, 90.0])
def test_a_joint_turned_into_gimbal_lock_stays_in_place(tmp_path, quarter):
    offsets = T_POSE * BONE_LENGTHS[:, None]
    turns = np.zeros((22, 3))
    turns[[JOINTS.index("left_hip"), JOINTS.index("pelvis")]] = [[quarter, 0, 0], [0, 40, 0]]
    joints = walk_of(offsets, Rotation.from_euler("yxz", turns[:, [1, 0, 2]], degrees=True), 1)
    write_bvh(tmp_path / "clip.bvh", joints)
    bvh = read_bvh(tmp_path / "clip.bvh")
    order = [bvh.names.index(name) for name in JOINTS]
    assert farthest(world_positions(bvh, order) / 100, joints) < MILLIMETER


class Glb:
    """A GLB file read by the letter of the specification, evaluated at the times of its keys."""

    def __init__(self, content: bytes) -> None:
        magic, version, length = struct.unpack_from("<4sII", content)
        assert (magic, version, length) == (b"glTF", 2, len(content))
        size, kind = struct.unpack_from("<I4s", content, 12)
        assert kind == b"JSON"
        self.document = json.loads(content[20 : 20 + size])
        binary_size, kind = struct.unpack_from("<I4s", content, 20 + size)
        assert kind == b"BIN\0"
        self.binary = content[28 + size :]
        assert len(self.binary) == binary_size

    def array(self, number: int) -> np.ndarray:
        accessor = self.document["accessors"][number]
        view = self.document["bufferViews"][accessor["bufferView"]]
        kind = {5126: "<f4", 5121: "u1", 5123: "<u2"}[accessor["componentType"]]
        width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}[accessor["type"]]
        count = accessor["count"] * width
        flat = np.frombuffer(self.binary, kind, count, view["byteOffset"])
        return flat.reshape(-1, width).squeeze(1) if width == 1 else flat.reshape(-1, width)

    def times(self) -> np.ndarray:
        (animation,) = self.document["animations"]
        (times,) = {sampler["input"] for sampler in animation["samplers"]}
        return self.array(times)

    def matrices(self) -> np.ndarray:
        """World matrix (frames, nodes, 4, 4) of every node."""
        (animation,) = self.document["animations"]
        nodes, frames = self.document["nodes"], len(self.times())
        local = np.tile(np.eye(4), (frames, len(nodes), 1, 1))
        for number, node in enumerate(nodes):
            local[:, number, :3, 3] = node.get("translation", [0, 0, 0])
        for channel in animation["channels"]:
            number, path = channel["target"]["node"], channel["target"]["path"]
            values = self.array(animation["samplers"][channel["sampler"]]["output"])
            if path == "translation":
                local[:, number, :3, 3] = values
            else:
                local[:, number, :3, :3] = Rotation.from_quat(values).as_matrix()
        world = local.copy()

        def descend(number: int) -> None:
            for child in nodes[number].get("children", []):
                world[:, child] = world[:, number] @ local[:, child]
                descend(child)

        for number in self.document["scenes"][0]["nodes"]:
            descend(number)
        return world

    def joints(self) -> np.ndarray:
        """World positions (frames, 22, 3) of the nodes with the names of our joints."""
        names = [node["name"] for node in self.document["nodes"]]
        order = [names.index(name) for name in JOINTS]
        return self.matrices()[..., :3, 3][:, order]

    def figure(self, side: str, frame: int) -> np.ndarray:
        """The skinned points of one material, in the world."""
        (skin,) = self.document["skins"]
        inverse_bind = self.array(skin["inverseBindMatrices"]).reshape(-1, 4, 4).swapaxes(1, 2)
        carried = self.matrices()[frame, skin["joints"]] @ inverse_bind
        materials = [material["name"] for material in self.document["materials"]]
        (part,) = [
            primitive
            for primitive in self.document["meshes"][0]["primitives"]
            if materials[primitive["material"]] == side
        ]
        points = self.array(part["attributes"]["POSITION"])
        joints = self.array(part["attributes"]["JOINTS_0"])
        weights = self.array(part["attributes"]["WEIGHTS_0"]) / 255
        homogeneous = np.concatenate([points, np.ones((len(points), 1))], axis=1)
        blended = np.einsum("pw,pwij->pij", weights, carried[joints])
        return np.einsum("pij,pj->pi", blended, homogeneous)[:, :3]


def test_the_nodes_of_a_glb_file_are_our_joints_in_every_frame(tmp_path, clip):
    write_glb(tmp_path / "clip.glb", clip)
    glb = Glb((tmp_path / "clip.glb").read_bytes())
    np.testing.assert_allclose(glb.times(), np.arange(len(clip)) / 20, atol=1e-6)
    assert farthest(glb.joints(), clip) < MILLIMETER


def test_left_limbs_have_one_color_and_right_limbs_another(rigid):
    glb = Glb(glb_bytes(rigid))
    for side, other in (("left", "right"), ("right", "left")):
        points = glb.figure(side, frame=20)
        for part in ("knee", "ankle", "elbow", "wrist"):
            near, far = (
                np.linalg.norm(points - rigid[20, JOINTS.index(f"{s}_{part}")], axis=-1).min()
                for s in (side, other)
            )
            assert near < 0.08 < far
    colors = [m["pbrMetallicRoughness"]["baseColorFactor"] for m in glb.document["materials"]]
    assert colors[0][0] > colors[0][2] and colors[1][2] > colors[1][0]  # orange, blue


def test_the_figure_surrounds_its_skeleton(rigid):
    glb = Glb(glb_bytes(rigid))
    points = np.concatenate([glb.figure(side, frame=30) for side in ("left", "right", "trunk")])
    distance = np.linalg.norm(points[:, None] - rigid[30], axis=-1)
    assert (distance.min(axis=0) < 0.12).all()
    assert distance.min(axis=1).max() < 0.3


def test_faces_of_the_figure_look_outwards(rigid):
    glb = Glb(glb_bytes(rigid))
    for part in glb.document["meshes"][0]["primitives"]:
        points, normals = (glb.array(part["attributes"][n]) for n in ("POSITION", "NORMAL"))
        corners = glb.array(part["indices"]).reshape(-1, 3)
        a, b, c = (points[corners[:, k]] for k in range(3))
        across = np.cross(b - a, c - a)
        assert (np.linalg.norm(across, axis=-1) > 1e-9).all()
        assert (np.einsum("tk,tk->t", across, normals[corners].mean(axis=1)) > 0).all()


def test_quaternions_in_a_glb_file_take_the_short_way_from_frame_to_frame(rigid):
    glb = Glb(glb_bytes(rigid))
    (animation,) = glb.document["animations"]
    for channel in animation["channels"]:
        if channel["target"]["path"] == "rotation":
            turns = glb.array(animation["samplers"][channel["sampler"]]["output"])
            assert (np.einsum("fk,fk->f", turns[1:], turns[:-1]) > 0).all()


VALIDATOR = Path(sys.prefix) / "node_modules" / "gltf-validator"
VALIDATE = """
const validator = require(process.argv[1]);
validator.validateBytes(new Uint8Array(require("fs").readFileSync(process.argv[2])))
  .then(report => console.log(JSON.stringify(report)));
"""

if shutil.which("node"):

    @pytest.mark.skipif(
        not VALIDATOR.is_dir(),
        reason="no gltf-validator: run `npm install --prefix .venv gltf-validator@2.0.0-dev.3.10`",
    )
    def test_the_validator_of_khronos_finds_nothing_to_say(tmp_path, clip):
        write_glb(tmp_path / "clip.glb", clip)
        printed = subprocess.run(
            ["node", "-e", VALIDATE, str(VALIDATOR), str(tmp_path / "clip.glb")],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        report = json.loads(printed)
        assert report["issues"]["messages"] == []
        assert report["info"]["animationCount"] == 1
        assert report["info"]["hasSkins"]


@pytest.mark.parametrize("name", ["000021", "dataset-1_dash_angry_001"])
@pytest.mark.parametrize("kind", ["joints", "recovered"])
def test_real_motions_come_back_from_both_formats(tmp_path, golden, name, kind):
    clip = golden[f"{name}.{kind}"][:, :22]
    write_bvh(tmp_path / "clip.bvh", clip)
    bvh = read_bvh(tmp_path / "clip.bvh")
    order = [bvh.names.index(name) for name in JOINTS]
    assert farthest(world_positions(bvh, order) / 100, clip) < MILLIMETER
    assert farthest(Glb(glb_bytes(clip)).joints(), clip) < MILLIMETER


@pytest.mark.parametrize("write", [write_bvh, write_glb, write_gif])
def test_nothing_to_write_is_refused_and_leaves_no_file(tmp_path, write):
    with pytest.raises(InputError, match="no frame"):
        write(tmp_path / "clip.file", np.zeros((0, 22, 3)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("write", [write_bvh, write_glb])
def test_values_that_are_not_finite_are_refused(tmp_path, write, rigid):
    broken = rigid.copy()
    broken[3, 5] = np.nan
    with pytest.raises(InputError, match="not finite"):
        write(tmp_path / "clip.file", broken)


def test_a_clip_of_one_frame_can_be_written(tmp_path, rigid):
    write_bvh(tmp_path / "clip.bvh", rigid[:1])
    assert len(read_bvh(tmp_path / "clip.bvh").values) == 1
    assert farthest(Glb(glb_bytes(rigid[:1])).joints(), rigid[:1]) < MILLIMETER


def test_a_gif_plays_every_frame_at_20_frames_a_second_without_end(tmp_path, rigid):
    write_gif(tmp_path / "clip.gif", rigid[:12], "a person turns about " * 9, size=200)
    with Image.open(io.BytesIO((tmp_path / "clip.gif").read_bytes())) as gif:
        assert (gif.format, gif.size, gif.info["loop"]) == ("GIF", (200, 200), 0)
        frames = [(f.info["duration"], f.convert("RGB")) for f in ImageSequence.Iterator(gif)]
    assert [duration for duration, _ in frames] == [50] * 12
    pixels = [np.asarray(picture).astype(int) for _, picture in frames]
    assert all(np.abs(after - before).max() > 50 for before, after in pairwise(pixels))


def test_a_gif_shows_both_sides_in_their_colors(tmp_path, rigid):
    from tmr.motion.contact_sheet import LEFT, RIGHT, TRUNK

    write_gif(tmp_path / "clip.gif", rigid[:1])
    with Image.open(tmp_path / "clip.gif") as gif:
        pixels = np.asarray(gif.convert("RGB")).astype(int)
    for color in (LEFT, RIGHT, TRUNK):
        wanted = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
        assert (np.abs(pixels - wanted).max(axis=-1) < 12).sum() > 100


def test_an_animated_svg_has_every_limb_at_its_place_in_every_frame() -> None:
    joints = walk_of(
        BONE_LENGTHS[:, None] * [0, -1.0, 0], Rotation.random(22 * 50, np.random.default_rng(0)), 50
    )
    figure = ElementTree.fromstring(Animation(joints)._repr_html_())
    width, height = map(float, figure.get("viewBox", "").split()[2:])
    lines = figure.findall(".//{*}polyline/{*}animate")
    frames = [line.get("values", "").split(";") for line in lines]
    assert [len(each) for each in frames] == [50] * len(CHAINS)
    assert {line.get("dur") for line in lines} == {"2.5s"}
    for chain, each in zip(CHAINS, frames, strict=True):
        points = np.array([[pair.split(",") for pair in frame.split()] for frame in each], float)
        assert points.shape == (50, len(chain), 2)
        assert (points >= 0).all() and (points <= [width, height]).all()
        # A camera far away: distances on the picture are at most those in space.
        drawn = np.linalg.norm(np.diff(points, axis=1), axis=-1)
        assert (drawn <= np.linalg.norm(np.diff(joints[:, chain], axis=1), axis=-1) + 0.02).all()
    with pytest.raises(InputError, match="no frame"):
        Animation(joints[:0])
