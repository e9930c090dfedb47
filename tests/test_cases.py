"""Small inputs that once failed, as they were reported, through the commands that people type.

Case 26, types that programs pass, is in tests/motion/test_motion_inputs.py; case 27, folder names
of AMASS, in tests/data/test_feature_files.py.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.motion.test_amass import write_model
from tests.workspace import ROOT, call
from tmr.errors import InputError
from tmr.motion.conventions import Overrides
from tmr.motion.read import read_motion
from tmr.motion.skeleton import joint

OPEN = f"run_dir={ROOT / 'models' / 'open'}"
HEAD, PELVIS = joint("head"), joint("pelvis")


@pytest.fixture(scope="session")
def cases(shared: Path) -> Path:
    """The folder of cases."""
    return shared / "cases"


@pytest.fixture
def imported(tmp_path, caplog):
    """A function that imports a folder and gives the joints of its files and what was logged."""

    def run(source: Path, *options: str) -> tuple[dict[str, np.ndarray], str]:
        caplog.clear()
        call("import_motions", f"source={source}", "name=case", f"base_folder={tmp_path}", *options)
        files = sorted((tmp_path / "case").glob("*.npy"))
        return {file.stem: np.load(file) for file in files}, caplog.text

    return run


def annotate(release: Path, target: Path, data: str = "bandai") -> dict:
    call("annotations", f"data={data}", f"release={release}", f"data.annotations={target}")
    return json.loads((target / "annotations.json").read_text())


def captions(annotations: dict) -> dict[str, list[str]]:
    """Captions of motions that are no mirror images, by path."""
    return {
        entry["path"].removeprefix("bandai/"): [part["text"] for part in entry["annotations"]]
        for entry in annotations.values() if not entry["path"].startswith("M/")
    }  # fmt: skip


def test_01_texts_to_the_end_of_a_missing_motion_are_left_out_and_counted(cases, tmp_path, caplog):
    case = cases / "01-humanml3d-index-minus-one"
    annotations = annotate(case, tmp_path / "annotations", "humanml3d")
    assert not any("humanact12" in entry["path"] for entry in annotations.values())
    assert len(annotations) == 2  # the other text, and its mirror image
    assert "1 of 2 text files left out" in caplog.text


@pytest.mark.parametrize(
    "text",
    ["a person walks, then jumps", "it's a jump", "人が歩く", "läuft", "does he walk (slowly)?",
     "null", "true", "1e3"],
)  # fmt: skip
def test_02_sentences_are_searched_as_typed(cases, tmp_path, capsys, text):
    library = cases / "03-paths-with-signs" / "takes (1)"
    call("search", OPEN, f"folder={library}", f"text={text}", "top=1")
    assert f'"{text}"\n' in capsys.readouterr().out


@pytest.mark.parametrize("name", ["takes (1)", "José", "a,b", "lr=0.1", "it's", "a&b", "[raw]"])
def test_03_folders_of_any_name_are_imported(cases, imported, tmp_path, name):
    shutil.copytree(cases / "03-paths-with-signs" / "José", tmp_path / "in" / name)
    assert len(imported(tmp_path / "in" / name)[0]) == 1


def test_04_another_option_imports_again(cases, imported):
    case = cases / "04-changed-options-not-redone"
    lying, log = imported(case, "up=y")
    assert "give the up axis as up=AXIS" in log
    standing, _ = imported(case, "up=z")
    heights = [j["z_up"][:, HEAD, 1] - j["z_up"][:, PELVIS, 1] for j in (lying, standing)]
    assert np.abs(heights[0]).max() < 0.1 and heights[1].min() > 0.5


@pytest.mark.parametrize("options", [(), ("profile=mine.yaml",)])
def test_05_toes_come_from_the_end_of_the_foot(cases, imported, options):
    case = cases / "05-skeleton-without-toes"
    options = [option.replace("=", f"={case}/") for option in options]
    joints, _ = imported(case / "takes", *options)
    assert len(joints) == 2
    for clip in joints.values():
        for side in ("left", "right"):
            foot = clip[0, joint(f"{side}_foot")] - clip[0, joint(f"{side}_ankle")]
            assert 0.05 < np.linalg.norm(foot) < 0.25
            assert foot[1] < 0 < foot[2]  # down and ahead


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("push_up", -0.3, 0.3), ("lie_on_back", -0.2, 0.2), ("handstand", -1.0, -0.4)],
)
def test_06_lying_bodies_lie(cases, imported, name, low, high):
    joints, log = imported(cases / "06-lying-stood-up" / name)
    height = joints[name][:, HEAD, 1] - joints[name][:, PELVIS, 1]
    assert low < height.min() and height.max() < high
    assert "read y up, by where the floor is" in log  # a guess is said


def test_06_comparing_says_a_guess_too(cases, capsys, caplog):
    file = cases / "06-lying-stood-up" / "push_up" / "push_up.bvh"
    call("text_motion_sim", OPEN, "text=a person lies on the floor", f"npy={file}")
    assert re.search(r"is: 0\.\d+", capsys.readouterr().out)
    assert "give up=AXIS" in caplog.text
    call("text_motion_sim", OPEN, "text=a person lies on the floor", f"npy={file}", "up=y")


def test_07_two_paths_with_one_key_are_both_named(cases, tmp_path):
    with pytest.raises(InputError, match=r"line 3: .*'walk_fast/01'.*'walk/fast_01'.*line 2"):
        annotate(cases / "07-table-keys-collide" / "captions.csv", tmp_path / "annotations")


def test_08_a_list_of_captions_is_several(cases, tmp_path):
    found = annotate(cases / "08-json-caption-lists" / "captions.json", tmp_path / "annotations")
    assert captions(found) == {"a": ["a person walks", "someone strolls"]}


def test_10_a_seated_bend_is_imported(cases, imported):
    ((_, clip),) = imported(cases / "10-seated-bend-refused")[0].items()
    assert np.ptp(clip[:, [PELVIS, joint("left_ankle"), joint("left_knee")], 1]) < 0.5  # legs lie
    left = clip[:, joint("left_hip")] - clip[:, joint("right_hip")]
    ahead = clip[:, joint("left_ankle")] - clip[:, joint("left_hip")]
    assert np.cross(ahead, left)[:, 1].max() > 0  # the left is left of where the legs point


@pytest.mark.parametrize("case", ["11-pose-body-root-orient", "21-advice-that-leads-nowhere"])
def test_11_and_21_body_models_are_taken_where_they_are_advised(cases, tmp_path, capsys, case):
    for kind in ("smplh", "smplx"):
        write_model(tmp_path / "models" / kind / "neutral" / "model.npz", kind)
        write_model(tmp_path / "models" / kind / "male" / "model.npz", kind)
        write_model(tmp_path / "models" / kind / "female" / "model.npz", kind)
    (file,) = (cases / case).glob("*.npz")
    options = [OPEN, f"npy={file}", f"output={tmp_path}/latent.npy"]
    with pytest.raises(InputError, match="give body_models=FOLDER"):
        call("encode_motion", *options)
    call("encode_motion", *options, f"body_models={tmp_path}/models")
    assert np.load(tmp_path / "latent.npy").shape[-1] == 256


def test_12_a_frame_more_than_promised_is_read_with_a_word(cases, imported):
    joints, log = imported(cases / "12-frames-off-by-one")
    assert len(joints["one_more"]) == 16  # 24 frames, from 30 to 20 a second
    assert "24 frames are read where the header promises 23" in log


def test_13_end_sites_in_lower_case_are_read(cases, imported):
    joints, _ = imported(cases / "13-end-site-lower-case")
    assert joints["pymo"].shape == (16, 22, 3)


def test_14_every_encoding_gives_the_same_joints(cases, imported):
    joints, log = imported(cases / "14-bvh-encodings")
    assert set(joints) == {"bom", "comma", "comment", "ctrl_z", "frame_time", "utf16"}
    for clip in joints.values():
        assert np.allclose(clip, joints["bom"], atol=1e-4)
    assert "decimal commas" in log and "UTF-16" in log and "comments" in log


def test_15_prefixes_of_mixamo_give_the_joints_of_mixamo(cases, imported, tmp_path):
    case = cases / "15-known-skeletons-unknown"
    joints, _ = imported(case)
    assert set(joints) == {"Character1", "Model", "mixamorig"}
    text = (case / "mixamorig.bvh").read_text()
    (tmp_path / "known.bvh").write_text(re.sub(r"mixamorig:?", "mixamorig:", text))
    known = read_motion(tmp_path / "known.bvh", Overrides(profile="mixamo"))
    for clip in joints.values():
        assert np.allclose(clip, known.joints, atol=1e-5)


def test_16_a_frame_time_of_zero_is_asked_for(cases, imported):
    with pytest.raises(InputError, match="give it as fps=NUMBER"):
        imported(cases / "16-frame-time-zero")
    assert len(imported(cases / "16-frame-time-zero", "fps=30")[0]["ft0"]) == 16


@pytest.mark.parametrize("name", ["cp1252", "utf16", "excel_columns"])
def test_18_tables_of_excel_are_read(cases, tmp_path, name):
    found = annotate(cases / "18-tables-that-crash" / f"{name}.csv", tmp_path / "annotations")
    assert captions(found) == {"takes/a": ["a person does a pas de châ"]}


def test_19_a_dead_link_is_named_and_a_loop_read_once(cases, imported, tmp_path):
    file = cases / "19-dangling-and-looping-links" / "dangling" / "a.bvh"
    for name in ("dangling", "loop/sub"):
        (tmp_path / "in" / name).mkdir(parents=True)
        shutil.copy(file, tmp_path / "in" / name)
    (tmp_path / "in" / "dangling" / "b.bvh").symlink_to("nowhere.bvh")
    (tmp_path / "in" / "loop" / "sub" / "up").symlink_to("..")
    joints, log = imported(tmp_path / "in" / "dangling")
    assert set(joints) == {"a"} and "b.bvh: skipped, a link to a file that is not there" in log
    imported(tmp_path / "in" / "loop", "overwrite=true")
    files = (tmp_path / "case").rglob("*.npy")
    assert [file.relative_to(tmp_path / "case").as_posix() for file in files] == ["sub/a.npy"]


@pytest.mark.skipif(
    subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode != 0
    if shutil.which("unshare")
    else True,
    reason="no rights to mount a folder read-only",
)
def test_20_a_run_folder_that_cannot_be_written_is_searched(cases, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(ROOT / "models" / "open", run, ignore=shutil.ignore_patterns("libraries"))
    mounted = f"mount --bind '{run}' '{run}' && mount -o remount,ro,bind '{run}'"
    options = f"run_dir='{run}' folder='{cases}/03-paths-with-signs/takes (1)' text=walk top=1"
    done = subprocess.run(
        ["unshare", "-m", "bash", "-c", f"{mounted} && {sys.executable} search.py {options}"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert '"walk"\n' in done.stdout
    assert "Traceback" not in done.stderr
    assert not (run / "libraries").exists()


def test_22_joints_of_no_body_are_refused_at_both_doors(cases, tmp_path):
    folder = cases / "22-joints-of-another-skeleton" / "in"
    message = "found 32 joints: not of Human3.6M with 32 joints"
    with pytest.raises(InputError, match=message):
        call("encode_motion", OPEN, f"npy={folder / 'h36m_32.npy'}")
    with pytest.raises(InputError, match=message):
        call("compute_guoh3dfeats", f"base_folder={folder}", f"output_folder={tmp_path}")
