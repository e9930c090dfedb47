"""AMASS files posed by a small body model made here, against forward kinematics by hand."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tests.motion.bvh_text import STANDING
from tmr.errors import InputError
from tmr.motion.conventions import NoMotion, Overrides
from tmr.motion.preprocessing import import_folder
from tmr.motion.read import read_motion, read_recording
from tmr.motion.skeleton import JOINTS, PARENTS

smplx = pytest.importorskip("smplx")

SHAPES = 4  # shape components of the small model
JOINTS_OF = {"smpl": 24, "smplh": 52, "smplx": 55}


def save(path: Path, arrays: dict[str, Any]) -> None:
    np.savez(path, **arrays)


def write_model(path: Path, kind: str, seed: int = 0) -> dict[str, np.ndarray]:
    """A body model of 3 vertices a joint whose mean is the joint, in the format of ``smplx``."""
    rng = np.random.default_rng(seed)
    joints = JOINTS_OF[kind]
    # The first 22 joints stand like a person, with the names that the tests of BVH use.
    rest = rng.normal(size=(joints, 3))
    rest[:22] = [STANDING[name] for name in JOINTS]
    parents = [*PARENTS, *rng.integers(20, 22, size=joints - 22)]
    corners = rng.normal(size=(joints, 3, 3)) / 10
    vertices = (rest[:, None] + corners - corners.mean(axis=1, keepdims=True)).reshape(-1, 3)
    regressor = np.zeros((joints, len(vertices)))
    for j in range(joints):
        regressor[j, 3 * j : 3 * j + 3] = 1 / 3
    model = {
        "v_template": vertices,
        "shapedirs": rng.normal(size=(*vertices.shape, SHAPES)) / 100,
        "J_regressor": regressor,
        "kintree_table": np.array([[2**32 - 1, *parents[1:]], np.arange(joints)], dtype=np.uint32),
        "posedirs": np.zeros((*vertices.shape, 9 * (joints - 1))),
        "weights": np.repeat(np.eye(joints), 3, axis=0),
        "f": np.zeros((1, 3), dtype=np.uint32),
    }
    if kind != "smpl":
        model |= {f"hands_components{side}": np.eye(45) for side in "lr"}
        model |= {f"hands_mean{side}": np.zeros(45) for side in "lr"}
    path.parent.mkdir(parents=True, exist_ok=True)
    save(path, model)
    return model


def motion(kind: str, frames: int = 7, seed: int = 1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    numbers = {"smpl": 72, "smplh": 156, "smplx": 165}[kind]
    poses = rng.normal(size=(frames, numbers)) / 5
    poses[:, :3] = [np.pi / 2, 0, 0]  # stands up along Z
    return {
        "poses": poses,
        "trans": rng.normal(size=(frames, 3)),
        "betas": rng.normal(size=SHAPES),
        "gender": np.array("female"),
        "mocap_framerate": np.array(60.0),
    }


@pytest.fixture
def models(tmp_path) -> Path:
    """A folder of body models in both of the layouts that people have."""
    for kind in JOINTS_OF:
        write_model(tmp_path / "models" / kind / "female" / "model.npz", kind)
    write_model(tmp_path / "models" / "smplx" / "SMPLX_MALE.npz", "smplx")
    return tmp_path / "models"


@pytest.fixture
def overrides(models) -> Overrides:
    return Overrides(body_models=str(models))


def by_hand(model: dict[str, np.ndarray], clip: dict[str, np.ndarray]) -> np.ndarray:
    """Joint by joint and frame by frame: rotations along the skeleton, then the translation."""
    shaped = model["v_template"] + (model["shapedirs"] * clip["betas"]).sum(axis=-1)
    rest = model["J_regressor"] @ shaped
    joints = np.empty((len(clip["poses"]), 22, 3))
    for t, pose in enumerate(clip["poses"]):
        whole = [Rotation.from_rotvec(pose[:3])]
        joints[t, 0] = rest[0]
        for j in range(1, 22):
            parent = PARENTS[j]
            joints[t, j] = joints[t, parent] + whole[parent].apply(rest[j] - rest[parent])
            whole.append(whole[parent] * Rotation.from_rotvec(pose[3 * j : 3 * j + 3]))
    return joints + clip["trans"][:, None]


@pytest.mark.parametrize("kind", JOINTS_OF)
def test_joints_are_those_of_forward_kinematics_by_hand(tmp_path, overrides, models, kind):
    clip = motion(kind)
    save(tmp_path / "clip.npz", clip)
    recording = read_recording(tmp_path / "clip.npz", overrides)
    model = dict(np.load(models / kind / "female" / "model.npz"))
    assert np.allclose(recording.positions, by_hand(model, clip), atol=1e-6)
    assert recording.skeleton == f"{kind} female"
    assert (recording.fps, recording.unit, recording.up) == (60, 1, "z")


def test_joints_are_those_of_the_whole_body_model_of_smplx(tmp_path, overrides, models):
    import torch

    clip = motion("smplh")
    save(tmp_path / "clip.npz", clip)
    file = models / "smplh" / "female" / "model.npz"
    body = smplx.SMPLH(
        str(file), ext="npz", gender="female", num_betas=SHAPES, use_pca=False,
        flat_hand_mean=True, batch_size=len(clip["poses"]), dtype=torch.float64,
        vertex_ids=dict.fromkeys(smplx.vertex_ids.vertex_ids["smplh"], 0),
    )  # fmt: skip
    poses = torch.from_numpy(clip["poses"])
    posed = body(
        betas=torch.from_numpy(clip["betas"]).expand(len(poses), -1),
        transl=torch.from_numpy(clip["trans"]),
        global_orient=poses[:, :3], body_pose=poses[:, 3:66],
        left_hand_pose=poses[:, 66:111], right_hand_pose=poses[:, 111:],
    )  # fmt: skip
    ours = read_recording(tmp_path / "clip.npz", overrides).positions
    assert np.allclose(ours, posed.joints[:, :22].detach().numpy(), atol=1e-6)


def test_a_clip_is_upright_in_meters_at_20_frames_a_second(tmp_path, overrides):
    still = motion("smplh", frames=13)
    still["poses"][:, 3:] = 0
    still["betas"][:] = 0
    still["trans"][:] = np.linspace([0, 0, 0], [0, -1.2, 0], 13)  # forward is -Y where Z is up
    save(tmp_path / "clip.npz", still)
    clip = read_motion(tmp_path / "clip.npz", overrides)
    assert str(clip.reading) == "skeleton smplh female, 1 unit = 1 m, z up, right-handed, 60 fps"
    standing = np.array([STANDING[name] for name in JOINTS])
    # The pelvis is the center of the turn to Z up, so it keeps its height.
    for t, joints in enumerate(clip.joints):
        placed = standing - standing[0] + joints[0]
        assert np.allclose(joints, placed, atol=1e-6)
        assert np.isclose(joints[0, 2] - clip.joints[0, 0, 2], 0.3 * t)
    assert len(clip.joints) == 5


def test_both_names_of_rate_and_gender_as_bytes_are_read(tmp_path, overrides):
    clip = motion("smplx")
    clip["mocap_frame_rate"] = clip.pop("mocap_framerate")
    clip["gender"] = np.array(b"male")
    save(tmp_path / "clip.npz", clip)
    recording = read_recording(tmp_path / "clip.npz", overrides)
    assert (recording.skeleton, recording.fps) == ("smplx male", 60)


def variants(kind: str) -> dict[str, dict[str, Any]]:
    """The same motion as other tools write it."""
    clip = motion(kind)
    poses, frames = clip.pop("poses"), len(clip["trans"])
    body = 69 if kind == "smpl" else 63
    plain = clip | {"root_orient": poses[:, :3], "pose_body": poses[:, 3 : 3 + body]}
    video = {
        "global_orient": poses[:, None, :3], "body_pose": poses[:, 3 : 3 + body],
        "transl": clip["trans"], "betas": np.tile(clip["betas"], (frames, 1)),
        "gender": clip["gender"], "fps": np.array(60),
    }  # fmt: skip
    matrices = {
        name: Rotation.from_rotvec(video[name].reshape(-1, 3)).as_matrix().reshape(
            frames, -1, 3, 3) for name in ("global_orient", "body_pose")
    }  # fmt: skip
    predicted = {f"pred_{k}": v for k, v in (video | matrices).items() if k[0] in "gbt"}
    return {
        "AMASS of SMPL-X without poses": plain,
        "video tools": video,
        "rotation matrices": video | matrices,
        "predictions": {"pred_global_orient": matrices["global_orient"]}
        | {k: v for k, v in predicted.items() if k != "pred_gender"}
        | {"gender": clip["gender"], "fps": np.array(60)},
    }


@pytest.mark.parametrize("kind", ["smpl", "smplx"])
@pytest.mark.parametrize("variant", list(variants("smplx")))
def test_the_names_of_other_tools_give_the_same_joints(tmp_path, overrides, kind, variant):
    save(tmp_path / "clip.npz", motion(kind))
    save(tmp_path / "variant.npz", variants(kind)[variant])
    clip, found = (read_recording(tmp_path / f"{n}.npz", overrides) for n in ("clip", "variant"))
    assert np.allclose(found.positions, clip.positions)
    assert (found.skeleton, found.fps) == (clip.skeleton, clip.fps) == (f"{kind} female", 60)
    assert (clip.up, found.up) == ("z", "z" if variant.startswith("AMASS") else None)
    assert found.warnings == ()


def test_shapes_that_change_are_read_with_their_mean(tmp_path, overrides):
    clip = variants("smplx")["video tools"]
    save(tmp_path / "steady.npz", clip)
    wobble = np.linspace(-1, 1, len(clip["transl"]))[:, None]
    save(tmp_path / "wobbling.npz", clip | {"betas": clip["betas"] + wobble})
    steady, wobbling = (
        read_recording(tmp_path / f"{name}.npz", overrides) for name in ("steady", "wobbling")
    )
    assert np.allclose(steady.positions, wobbling.positions)
    assert wobbling.warnings == ("betas change from frame to frame: read with their mean",)


def test_where_smplx_is_missing_its_motion_is_posed_by_smplh(tmp_path, overrides, models):
    (models / "smplx" / "female" / "model.npz").unlink()
    save(tmp_path / "clip.npz", variants("smplx")["video tools"])
    assert read_recording(tmp_path / "clip.npz", overrides).skeleton == "smplh female"


def test_long_files_are_posed_piece_by_piece(tmp_path, overrides, monkeypatch):
    save(tmp_path / "clip.npz", motion("smplh"))
    whole = read_recording(tmp_path / "clip.npz", overrides).positions
    monkeypatch.setattr("tmr.motion.readers.amass._CHUNK", 2)
    assert np.array_equal(whole, read_recording(tmp_path / "clip.npz", overrides).positions)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"poses": np.zeros((7, 63))},
            r"found poses of shape \(7, 63\), expected \(frames, 72 or",
        ),
        ({"trans": np.zeros((6, 3))}, r"found trans of shape \(6, 3\), expected \(7, 3\)"),
        ({"trans": np.full((7, 3), np.nan)}, "array 'trans' holds NaN"),
        ({"betas": np.array("thin")}, "found no numbers in array 'betas'"),
        ({"gender": np.array("other")}, "found gender 'other', expected one of male, female"),
        ({"gender": np.array("male")}, r"no male SMPLH model in .*models: expected .*smplh"),
        ({"trans": None}, "no array 'trans'"),
        ({"poses": None, "betas": None}, "no array 'poses'"),
        ({"poses": None, "root_orient": np.zeros((7, 3))}, "found 'root_orient' alone, expected"),
        (
            {"poses": None, "global_orient": np.zeros((7, 3)), "body_pose": np.zeros((7, 60))},
            r"found global_orient of shape \(7, 3\) and body_pose of shape \(7, 60\), expected",
        ),
        (
            {"poses": None, "global_orient": np.ones((7, 1, 3, 3)), "body_pose": np.zeros((7, 63))},
            "found matrices in 'global_orient' that are no rotations",
        ),
        ({"betas": np.zeros((3, 4))}, r"found betas of shape \(3, 4\), expected one row or 7"),
        ({"mocap_framerate": None}, "the file does not say its frame rate"),
    ],
)
def test_a_damaged_file_is_refused_with_its_name(tmp_path, overrides, change, message):
    clip = {k: v for k, v in (motion("smplh") | change).items() if v is not None}
    save(tmp_path / "clip.npz", clip)
    with pytest.raises(InputError, match=rf"clip\.npz: {message}"):
        read_motion(tmp_path / "clip.npz", overrides)


def test_a_file_of_a_body_shape_holds_no_motion(tmp_path, overrides):
    np.savez(tmp_path / "shape.npz", betas=np.zeros(16), gender="male")
    with pytest.raises(NoMotion, match=r"shape\.npz: a body shape without poses"):
        read_motion(tmp_path / "shape.npz", overrides)


def test_body_models_that_cannot_be_used_are_refused(tmp_path, overrides, models):
    clip = tmp_path / "clip.npz"
    save(clip, motion("smplh"))
    model = models / "smplh" / "female" / "model.npz"
    whole = dict(np.load(model))
    save(model, whole | {"kintree_table": whole["kintree_table"][:, ::-1]})
    with pytest.raises(InputError, match=r"body model .*model\.npz: not a body model of the SMPL"):
        read_motion(clip, overrides)
    model.rename(model.with_suffix(".pkl"))
    with pytest.raises(InputError, match=r"model\.pkl is a pickle, which can run any program"):
        read_motion(clip, overrides)


def test_without_a_folder_of_body_models_an_import_says_where_they_are(tmp_path):
    save(tmp_path / "clip.npz", motion("smplh"))
    for folder, found in ((None, "none is given"), (str(tmp_path / "gone"), "there is no .*gone")):
        with pytest.raises(InputError, match=rf"{found}: download .*mano\.is.*body_models=FOLDER"):
            import_folder(tmp_path, tmp_path / "joints", Overrides(body_models=folder))


def test_without_smplx_the_package_is_named(tmp_path, overrides, monkeypatch):
    monkeypatch.setitem(sys.modules, "smplx", None)
    save(tmp_path / "clip.npz", motion("smplh"))
    with pytest.raises(InputError, match="pip install smplx"):
        read_motion(tmp_path / "clip.npz", overrides)


def test_a_folder_of_amass_is_imported_with_its_body_shapes_skipped(tmp_path, overrides):
    takes = tmp_path / "amass" / "ACCAD" / "s001"
    takes.mkdir(parents=True)
    clip = motion("smplh", frames=30)
    clip["poses"][:, 3:] /= 10
    clip["trans"] /= 50
    save(takes / "walk_poses.npz", clip)
    np.savez(takes / "shape.npz", betas=np.zeros(16))
    summary = import_folder(tmp_path / "amass", tmp_path / "joints", overrides, processes=1)
    assert (summary.written, summary.skipped, summary.frames) == (1, 1, 10)
    assert (tmp_path / "joints" / "ACCAD" / "s001" / "walk_poses.npy").is_file()
