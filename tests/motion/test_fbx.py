"""Takes of the CMU database in FBX, against ufbx's own world transforms and against BVH."""

import tarfile

import numpy as np
import pytest

from tmr.errors import InputError
from tmr.motion.animation import rest_pose
from tmr.motion.kinematics import bones
from tmr.motion.mirror import MIRRORED_JOINTS
from tmr.motion.read import read_motion
from tmr.motion.readers.fbx import read_fbx
from tmr.motion.skeleton import joint

pufbx = pytest.importorskip("pufbx")

LIMBS = [joint(f"{side}_{name}") - 1 for side in ("left", "right")
         for name in ("knee", "ankle", "elbow", "wrist")]  # fmt: skip


@pytest.fixture(scope="module")
def take(shared):
    return shared / "data" / "fbx" / "135_02.fbx"


def test_places_at_rest_are_those_of_ufbx(take):
    animation, unit, up = read_fbx(take)
    assert (unit, up, animation.fps) == (0.01, "y", 30)
    places, _ = rest_pose(animation)
    for node in list(pufbx.load_fbx(str(take)).nodes)[1:]:
        world = node.node_to_world["cols"][3]
        expected = world["v"]
        assert np.allclose(places[animation.names.index(node.name)], expected, atol=1e-3)


def test_the_same_take_in_bvh_shows_the_same_poses(take, shared, tmp_path):
    with tarfile.open(shared / "data" / "cmu" / "cmu_src.tar.xz", "r|xz") as archive:
        for member in archive:
            if member.name.endswith("mb2/135_02.bvh"):
                archive.extract(member, tmp_path, filter="data")
                break
    fbx = read_motion(take).joints
    bvh = read_motion(next(tmp_path.rglob("*.bvh"))).joints
    # The FBX form is on another rig and faces another way: directions of limbs are compared.
    fbx = fbx[..., [2, 1, 0]] * [1, 1, -1]
    assert np.degrees(difference(fbx, bvh)).max() < 10
    assert np.degrees(difference(fbx[:, MIRRORED_JOINTS], bvh)).max() > 20


def difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Median angle between the limbs of two clips."""
    frames = min(len(a), len(b))
    directions = [bones(joints[:frames])[:, LIMBS] for joints in (a, b)]
    x, y = (d / np.linalg.norm(d, axis=-1, keepdims=True) for d in directions)
    return np.median(np.arccos(np.clip((x * y).sum(axis=-1), -1, 1)), axis=0)


def test_a_damaged_file_is_refused_by_name(take, tmp_path):
    (tmp_path / "cut.fbx").write_bytes(take.read_bytes()[:5000])
    with pytest.raises(InputError, match=r"cut\.fbx: not a readable FBX file"):
        read_motion(tmp_path / "cut.fbx")
