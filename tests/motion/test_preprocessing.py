import csv
import logging
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.motion.bvh_text import person_bvh
from tmr.errors import InputError
from tmr.motion.conventions import Overrides
from tmr.motion.features import features_to_joints, joints_to_features
from tmr.motion.manifest import MANIFEST
from tmr.motion.mirror import mirror_joints
from tmr.motion.preprocessing import compute_features, import_folder

WALK = person_bvh([(0, 90, 3 * t) for t in range(31)])
STAND = person_bvh([(0, 90, 0)] * 31)


@pytest.fixture
def takes(tmp_path) -> Path:
    """A folder with two takes, one of them deeper."""
    folder = tmp_path / "takes"
    (folder / "deep").mkdir(parents=True)
    (folder / "walk.bvh").write_text(WALK)
    (folder / "deep" / "stand.BVH").write_text(STAND)
    (folder / "notes.txt").write_text("not a motion")
    return folder


def files_below(folder: Path) -> set[str]:
    """Every file but manifests, hidden and temporary ones too."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    return {str(path.relative_to(folder)) for path in files}


def walking() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(size=(1, 22, 3)) + rng.normal(size=(12, 22, 3)) / 10


def test_a_folder_becomes_joints_then_features_with_the_same_paths(takes, tmp_path):
    summary = import_folder(takes, tmp_path / "joints" / "mine", Overrides("bandai"), processes=1)
    assert (summary.written, summary.frames, summary.already_done) == (2, 42, 0)
    assert files_below(tmp_path / "joints") == {"mine/walk.npy", "mine/deep/stand.npy"}
    joints = np.load(tmp_path / "joints/mine/walk.npy")
    assert joints.dtype == np.float32
    assert joints.shape == (21, 22, 3)

    summary = compute_features(tmp_path / "joints", tmp_path / "features", processes=1)
    assert (summary.written, summary.frames) == (2, 40)
    assert files_below(tmp_path / "features") == {
        "mine/walk.npy", "mine/deep/stand.npy", "M/mine/walk.npy", "M/mine/deep/stand.npy"
    }  # fmt: skip
    features = np.load(tmp_path / "features/mine/walk.npy")
    mirrored = np.load(tmp_path / "features/M/mine/walk.npy")
    assert features.dtype == mirrored.dtype == np.float32
    assert np.array_equal(features, joints_to_features(joints))
    expected = joints_to_features(mirror_joints(joints.astype(float)))
    assert np.array_equal(mirrored, expected)


def test_a_second_run_does_only_what_is_missing_or_has_changed(takes, tmp_path):
    target = tmp_path / "joints" / "mine"
    import_folder(takes, target)
    assert import_folder(takes, target).already_done == 2
    (target / "walk.npy").unlink()
    assert import_folder(takes, target).written == 1

    compute_features(tmp_path / "joints", tmp_path / "features")
    (tmp_path / "features" / "M" / "mine" / "walk.npy").unlink()
    assert compute_features(tmp_path / "joints", tmp_path / "features").already_done == 1
    assert compute_features(tmp_path / "joints", tmp_path / "features").already_done == 2


def test_a_file_replaced_by_an_older_one_is_done_again_and_a_touched_one_is_not(takes, tmp_path):
    target = tmp_path / "joints"
    import_folder(takes, target)
    os.utime(takes / "walk.bvh")
    assert import_folder(takes, target).written == 0
    older = tmp_path / "older.bvh"
    older.write_text(person_bvh([(0, 90, 2 * t) for t in range(31)]))
    os.utime(older, (1e9, 1e9))
    older.replace(takes / "walk.bvh")
    assert import_folder(takes, target).written == 1
    assert np.load(target / "walk.npy")[-1, 0, 2] == pytest.approx(0.6)


def test_an_import_with_other_options_is_done_again(takes, tmp_path):
    """A body that lies for one up axis stands for another."""
    target = tmp_path / "joints"
    for up, standing in (("z", False), ("y", True)):
        assert import_folder(takes, target, Overrides(up=up)).written == 2
        head, pelvis = np.load(target / "walk.npy")[0, [15, 0], 1]
        assert bool(head > pelvis + 0.3) is standing


def test_features_with_other_options_are_computed_again(tmp_path):
    (tmp_path / "joints" / "mine").mkdir(parents=True)
    np.save(tmp_path / "joints" / "mine" / "a.npy", walking())
    for negated in (False, True):
        compute_features(tmp_path / "joints", tmp_path / "features", x_negated=negated)
        joints = walking() * [-1 if negated else 1, 1, 1]
        features = np.load(tmp_path / "features" / "mine" / "a.npy")
        assert np.array_equal(features, joints_to_features(joints))


@pytest.mark.parametrize("name", ["mine", None])
def test_joints_and_features_of_a_take_that_is_gone_are_removed(takes, tmp_path, name, caplog):
    joints, features = tmp_path / "joints", tmp_path / "features"

    def prepare() -> None:
        import_folder(takes, joints / "mine")
        compute_features(joints, features, name)

    prepare()
    (joints / "mine" / "by_hand.npy").write_bytes((joints / "mine" / "walk.npy").read_bytes())
    (takes / "walk.bvh").unlink()
    prepare()
    assert files_below(joints) == {"mine/deep/stand.npy", "mine/by_hand.npy"}
    made = {"mine/deep/stand.npy", "mine/by_hand.npy"}
    assert files_below(features) == made | {f"M/{file}" for file in made}
    assert "1 files removed that were made from files now gone, such as" in caplog.text


def test_what_many_files_have_in_common_is_one_warning(tmp_path, caplog):
    for i in range(6):
        lying = person_bvh([(0, 90, 0)] * 31) if i < 2 else WALK
        (tmp_path / "takes").mkdir(exist_ok=True)
        (tmp_path / "takes" / f"{i}.bvh").write_text(lying)
    import_folder(tmp_path / "takes", tmp_path / "joints", Overrides(up="z"))
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(lines) == 1
    assert (
        lines[0].startswith("import: 6 files, such as ") and "0.bvh: the body is lying" in lines[0]
    )


def test_joints_of_a_take_that_has_become_unreadable_are_removed(takes, tmp_path):
    import_folder(takes, tmp_path / "joints")
    (takes / "walk.bvh").write_text("HIERARCHY")
    with pytest.raises(InputError, match=r"walk\.bvh"):
        import_folder(takes, tmp_path / "joints")
    assert files_below(tmp_path / "joints") == {"deep/stand.npy", "skipped.csv"}


def test_a_second_folder_of_the_same_name_is_refused_and_a_moved_one_is_not(takes, tmp_path):
    joints, features = tmp_path / "joints", tmp_path / "features"
    import_folder(takes, joints / "mine")
    compute_features(joints, features)
    other = tmp_path / "other"
    shutil.copytree(takes / "deep", other)
    with pytest.raises(InputError, match=r"mine was made from .*takes, not from .*other: give"):
        import_folder(other, joints / "mine")
    with pytest.raises(InputError, match=r"another output_folder=FOLDER, or overwrite=true"):
        compute_features(shutil.copytree(joints, tmp_path / "joints2"), features)
    takes.rename(tmp_path / "moved")
    assert import_folder(tmp_path / "moved", joints / "mine").already_done == 2
    assert import_folder(other, joints / "mine", overwrite=True).removed == 2
    assert files_below(joints) == {"mine/stand.npy"}


def test_without_their_folders_names_must_be_unique(takes, tmp_path):
    import_folder(takes, tmp_path / "joints")
    assert import_folder(takes, tmp_path / "joints", flat=True).removed == 1
    assert files_below(tmp_path / "joints") == {"walk.npy", "stand.npy"}
    (takes / "deep" / "walk.bvh").write_text(STAND)
    with pytest.raises(InputError, match=r"walk\.bvh and .*walk\.bvh would both become"):
        import_folder(takes, tmp_path / "joints", flat=True)


def test_overrides_of_a_folder_count_for_its_files_only(takes, tmp_path):
    (takes / "overrides.csv").write_text("path,fps,up\ndeep,60,\n")
    import_folder(takes, tmp_path / "joints")
    assert len(np.load(tmp_path / "joints" / "walk.npy")) == 21  # 31 frames at 30
    assert len(np.load(tmp_path / "joints" / "deep" / "stand.npy")) == 11
    (takes / "overrides.csv").write_text("path,fps\ndeep/stand.BVH,30\n")
    assert import_folder(takes, tmp_path / "joints").written == 1


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("path,fps\ndeeper,60", "line 2: no motion file at or below 'deeper'"),
        ("path,fps\ndeep,sixty", "line 2: fps 'sixty' is not a number"),
        ("path,up\ndeep,q", "line 2: unknown up axis 'q'"),
        ("path,speed\ndeep,2", "unknown column 'speed', expected path and any of profile, fps"),
        ("path,fps\ndeep,60\ndeep,30", "line 3: a second row for 'deep'"),
        ("folder,fps\ndeep,60", "no field 'path', found folder, fps"),
    ],
)
def test_a_wrong_table_of_overrides_is_refused(takes, tmp_path, table, message):
    (takes / "overrides.csv").write_text(table)
    with pytest.raises(InputError, match=message):
        import_folder(takes, tmp_path / "joints")


def test_a_dead_link_is_one_skipped_file(takes, tmp_path, caplog):
    (takes / "dead.bvh").symlink_to(tmp_path / "not_fetched")
    os.mkfifo(takes / "pipe.bvh")
    summary = import_folder(takes, tmp_path / "joints")
    assert (summary.written, summary.skipped) == (2, 2)
    assert "dead.bvh: skipped, a link to a file that is not there" in caplog.text
    assert "pipe.bvh: skipped, not an ordinary file" in caplog.text


def test_two_processes_write_the_same_files_as_one(tmp_path):
    for i in range(40):
        path = tmp_path / "takes" / f"{i:02}.bvh"
        path.parent.mkdir(exist_ok=True)
        path.write_text(person_bvh([(0, 90, i * t / 10) for t in range(9)]))
    for processes in (1, 2):
        import_folder(tmp_path / "takes", tmp_path / f"joints{processes}", processes=processes)
    names = files_below(tmp_path / "joints1")
    assert len(names) == 40
    assert names == files_below(tmp_path / "joints2")
    for name in names:
        assert (tmp_path / "joints1" / name).read_bytes() == (
            tmp_path / "joints2" / name
        ).read_bytes()


def test_only_the_named_data_set_is_computed(tmp_path):
    for name in ("one", "two"):
        (tmp_path / "joints" / name).mkdir(parents=True)
        np.save(tmp_path / "joints" / name / "a.npy", walking())
    compute_features(tmp_path / "joints", tmp_path / "features", name="two")
    assert files_below(tmp_path / "features") == {"two/a.npy", "M/two/a.npy"}


def test_damaged_files_are_named_and_the_others_go_on(takes, tmp_path, caplog):
    (takes / "broken.bvh").write_text(WALK[: len(WALK) // 2])
    (takes / "wings.bvh").write_text(WALK.replace("UpperArm_L", "Wing_L"))
    with pytest.raises(InputError, match=r"2 of 4 files could not be used.*broken\.bvh"):
        import_folder(takes, tmp_path / "joints" / "mine")
    assert "broken.bvh" in caplog.text
    assert "wings.bvh: the arms are not alike" in caplog.text
    written = {"mine/walk.npy", "mine/deep/stand.npy"}
    assert files_below(tmp_path / "joints") == written | {"mine/skipped.csv"}
    with (tmp_path / "joints" / "mine" / "skipped.csv").open() as report:
        rows = {Path(row["file"]).name: row["reason"] for row in csv.DictReader(report)}
    assert rows["broken.bvh"].startswith("line ")
    assert rows["wings.bvh"].startswith("the arms are not alike")
    assert len(rows) == 2

    for name in rows:
        (takes / name).unlink()
    import_folder(takes, tmp_path / "joints" / "mine")
    assert files_below(tmp_path / "joints") == written


def test_joints_that_cannot_be_used_are_named_and_the_others_go_on(tmp_path, caplog):
    folder = tmp_path / "joints" / "mine"
    folder.mkdir(parents=True)
    np.save(folder / "good.npy", walking())
    with_nan = walking()
    with_nan[7, 20] = np.nan
    np.save(folder / "nan.npy", with_nan)
    np.save(folder / "flat.npy", np.zeros((12, 66)))
    whole = (folder / "good.npy").read_bytes()
    (folder / "cut.npy").write_bytes(whole[: len(whole) // 2])
    (folder / "text.npy").write_text("not an array")
    (folder / "empty.npy").write_bytes(b"")
    with pytest.raises(InputError, match="5 of 6 files could not be used"):
        compute_features(tmp_path / "joints", tmp_path / "features")
    assert "nan.npy: frame 7: the position of left_wrist is NaN" in caplog.text
    assert r"flat.npy: found an array of shape (12, 66)" in caplog.text
    for name in ("cut", "text", "empty"):
        assert f"{name}.npy: not a readable .npy file" in caplog.text
    whole = {"mine/good.npy", "M/mine/good.npy"}
    assert files_below(tmp_path / "features") == whole | {"skipped.csv"}


def test_a_clip_of_one_frame_is_skipped_with_a_warning(takes, tmp_path, caplog):
    (takes / "short.bvh").write_text(person_bvh([(0, 90, 0)]))
    assert import_folder(takes, tmp_path / "joints" / "mine").skipped == 1
    np.save(tmp_path / "joints" / "mine" / "shot.npy", walking()[:1])
    assert compute_features(tmp_path / "joints", tmp_path / "features").skipped == 1
    warned = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert [w.split(": ")[1] for w in warned] == ["skipped, a clip of one frame has no motion"] * 2
    assert not any("short" in name for name in files_below(tmp_path / "joints"))
    assert not any("shot" in name for name in files_below(tmp_path / "features"))


def test_a_folder_of_one_frame_clips_is_refused(tmp_path):
    (tmp_path / "takes").mkdir()
    (tmp_path / "takes" / "short.bvh").write_text(person_bvh([(0, 90, 0)]))
    with pytest.raises(InputError, match="all 1 files are without motion"):
        import_folder(tmp_path / "takes", tmp_path / "joints")
    assert files_below(tmp_path / "joints") == {"skipped.csv"}


def test_x_is_negated_again_for_files_of_humanml3ds_notebook(tmp_path):
    joints = walking()
    negated = joints * [-1, 1, 1]
    folder = tmp_path / "pose_data"
    for part, content in {"ACCAD": negated, "humanact12": joints}.items():
        (folder / part).mkdir(parents=True)
        np.save(folder / part / "clip.npy", content)
    compute_features(folder, tmp_path / "features")
    expected = joints_to_features(joints)
    mirrored = joints_to_features(mirror_joints(joints))
    for part in ("ACCAD", "humanact12"):
        assert np.array_equal(np.load(tmp_path / "features" / part / "clip.npy"), expected)
        assert np.array_equal(np.load(tmp_path / "features" / "M" / part / "clip.npy"), mirrored)

    compute_features(folder, tmp_path / "as_they_are", x_negated=False)
    plain = joints_to_features(negated)
    assert np.array_equal(np.load(tmp_path / "as_they_are" / "ACCAD" / "clip.npy"), plain)


def test_folders_behind_links_are_read_and_hidden_files_are_not(takes, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (takes / "walk.bvh").rename(tmp_path / "elsewhere" / "walk.bvh")
    (takes / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (takes / ".walk.bvh").write_text("a temporary file")
    import_folder(takes, tmp_path / "joints")
    assert files_below(tmp_path / "joints") == {"linked/walk.npy", "deep/stand.npy"}


@pytest.mark.parametrize(
    ("source", "target", "profile", "message"),
    [
        ("gone", "mine", None, "no folder .*gone: give the folder .* source=FOLDER"),
        ("takes/notes", "mine", None, r"no \.bvh or .* or \.npy file below"),
        ("takes", "mine", "robot", "unknown skeleton profile 'robot': expected one of bandai, cmu"),
        ("takes", "M", None, "the name 'M' is kept for mirrored motions"),
    ],
)
def test_an_import_that_cannot_begin_is_refused(takes, tmp_path, source, target, profile, message):
    (takes / "notes").mkdir()
    with pytest.raises(InputError, match=message):
        import_folder(tmp_path / source, tmp_path / "joints" / target, Overrides(profile))
    assert not (tmp_path / "joints").exists()


def test_files_of_other_kinds_are_counted(takes, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    for name in ("a.c3d", "b.C3D", "walk.bvh.gz", "actor.asf"):
        (takes / name).write_text("of another kind")
    import_folder(takes, tmp_path / "joints")
    assert "import: files of other kinds are left out: 2 .c3d, 1 .gz" in caplog.text
    for name in ("walk.bvh", "deep/stand.BVH"):
        (takes / name).unlink()
    with pytest.raises(InputError, match=r"no .bvh or .* found 2 .c3d, 1 .asf, 1 .txt, 1 .gz:"):
        import_folder(takes, tmp_path / "joints")
    with pytest.raises(InputError, match=f"notes.txt is a file, expected its folder: {takes}"):
        import_folder(takes / "notes.txt", tmp_path / "joints")


def test_two_files_that_would_become_one_are_refused(takes, tmp_path):
    (takes / "walk.BVH").write_text(STAND)
    with pytest.raises(InputError, match=r"would both become .*walk\.npy"):
        import_folder(takes, tmp_path / "joints")


def test_features_without_joints_say_what_to_run_first(tmp_path):
    for name in (None, "mine"):
        with pytest.raises(InputError, match=r"python -m prepare\.import_motions"):
            compute_features(tmp_path / "joints", tmp_path / "features", name)


@pytest.fixture(scope="module")
def raised(bandai_bvh, tmp_path_factory) -> Path:
    """Features of every raise-up-left-hand and raise-up-right-hand clip."""
    folder = tmp_path_factory.mktemp("raised")
    import_folder(bandai_bvh, folder / "joints" / "bandai", processes=2)
    compute_features(folder / "joints", folder / "features", processes=2)
    return folder


@pytest.mark.parametrize(("label", "count"), [("left", 444), ("right", 437)])
def test_left_stays_left_from_file_to_joints_again(raised, label, count):
    left, right = 20, 21
    lifted, other = (left, right) if label == "left" else (right, left)
    paths = sorted((raised / "joints" / "bandai").glob(f"*raise-up-{label}-hand*.npy"))
    assert len(paths) == count
    for path in paths:
        joints = np.load(path)
        features = np.load(raised / "features" / "bandai" / path.name)
        mirrored = np.load(raised / "features" / "M" / "bandai" / path.name)
        for motion, up, down in (
            (joints, lifted, other),
            (features_to_joints(features), lifted, other),
            (features_to_joints(mirrored), other, lifted),
        ):
            highest = motion[..., 1].max(axis=0)
            assert highest[up] > highest[down] + 0.2, path.name
