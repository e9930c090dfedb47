"""The commands of generation on a small trained run, against the Python API and the files."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import tmr
from tests import workspace as project
from tests.workspace import Workspace
from tmr.data.annotations import read_annotations, read_split
from tmr.errors import InputError
from tmr.generation.physics import mean_report, physical_report
from tmr.motion.features import features_to_joints
from tmr.motion.read import read_motion

RUN = "outputs/temos"
SENTENCE = "a person walks/jumps: 100% é " + "very " * 60 + "far..."


@pytest.fixture
def workspace(generator: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(generator.folder)
    return generator


def call(name: str, *arguments: str) -> None:
    project.call(name, f"run_dir={RUN}", "device=cpu", *arguments)


def test_every_file_holds_the_motion_of_the_api(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call(
        "generate", f"text={SENTENCE}", "seconds=2", "samples=2", "seed=3", "clips=4",
        f"output={tmp_path}",
    )  # fmt: skip
    (folder,) = tmp_path.iterdir()
    names = {f"{i}{end}" for i in "12" for end in (".npy", "_joints.npy", ".bvh", ".glb", ".gif")}
    assert {file.name for file in folder.iterdir()} == names | {"sheet.png", "report.json"}
    (expected,) = tmr.load(RUN).generate([SENTENCE], 2.0, samples=2, seed=3)
    report = json.loads((folder / "report.json").read_text())
    for i, features in enumerate(expected, start=1):
        assert np.load(folder / f"{i}.npy") == pytest.approx(features.numpy(), abs=1e-5)
        joints = features_to_joints(np.load(folder / f"{i}.npy"))
        assert np.load(folder / f"{i}_joints.npy") == pytest.approx(joints, abs=1e-5)
        assert np.abs(read_motion(folder / f"{i}.bvh").joints - joints).max() < 1e-3
        assert report["motions"][str(i)] == pytest.approx(physical_report(joints), abs=1e-3)
        assert (folder / f"{i}.glb").read_bytes().startswith(b"glTF")
        assert (folder / f"{i}.gif").read_bytes().startswith(b"GIF89a")
    assert report["text"] == SENTENCE
    assert "foot sliding, cm/s" in capsys.readouterr().out


def test_real_clips_of_the_data_set_stand_beside(workspace: Workspace, tmp_path: Path) -> None:
    call("generate", "text=walks", "seconds=1", "clips=9999", "gif=false", f"output={tmp_path}")
    folder = Path("datasets/annotations/synthetic")
    entries = read_annotations(folder)
    clips = [
        features_to_joints(np.load(f"datasets/motions/guoh3dfeats/{entries[key].path}.npy"))
        for key in read_split(folder, "test")
    ]
    (report,) = tmp_path.glob("*/report.json")
    found = json.loads(report.read_text())["real_clips"]
    assert found == pytest.approx(mean_report([physical_report(clip) for clip in clips]), rel=1e-4)
    assert not list(tmp_path.glob("*/*.gif"))


def test_the_way_to_another_text_ends_at_both(workspace: Workspace, tmp_path: Path) -> None:
    call(
        "generate", "text=a person walks", "to=a person jumps", "seconds=1.5", "steps=3",
        "gif=false", "clips=1", f"output={tmp_path}",
    )  # fmt: skip
    (folder,) = tmp_path.iterdir()
    assert sorted(f.name for f in folder.glob("?.npy")) == ["1.npy", "2.npy", "3.npy"]
    ends = tmr.load(RUN).generate(["a person walks", "a person jumps"], 1.5)
    for name, (motion,) in zip("13", ends, strict=True):
        assert np.load(folder / f"{name}.npy") == pytest.approx(motion.numpy(), abs=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["text=", "seconds=2"], "empty"),
        (["seconds=2"], "either text="),
        (["text=walks", "seconds=0.2"], r"seconds=0\.2: expected 0\.5 to 10"),
        (["text=walks", "seconds=11"], r"seconds=11: expected 0\.5 to 10"),
        (["text=walks", "seconds=long"], "seconds=long: expected a number above 0"),
        (
            ["text=walks", "seconds=2", "samples=0"],
            "samples=0: expected a whole number",
        ),
        (["text=walks", "seconds=2", "samples=1.5"], r"samples=1\.5: expected a whole number"),
        (["text=walks", "seconds=2", "fact=-1"], "fact=-1: expected a number, at least 0"),
        (
            ["text=walks", "seconds=2", "to=jumps", "steps=1"],
            "steps=1: expected a whole number",
        ),
        (
            ['text=["walks", "runs"]', "seconds=2", "to=jumps"],
            "from one text to another; found 2 texts",
        ),
    ],
)
def test_bad_input_is_refused(workspace: Workspace, options: list[str], message: str) -> None:
    before = workspace.files()
    with pytest.raises(InputError, match=message):
        call("generate", *options)
    assert workspace.files() == before


def test_a_run_without_a_decoder_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(RUN, copy, ignore=shutil.ignore_patterns("motion_decoder.*", "checkpoints"))
    options = (f"run_dir={copy}", "text=walks", "seconds=2")
    with pytest.raises(InputError, match=r"no motion_decoder weights in .*/last_weights"):
        call("generate", *options)
    described = json.loads((copy / "config.json").read_text())
    del described["model"]["motion_decoder"]
    (copy / "config.json").write_text(json.dumps(described))
    with pytest.raises(InputError, match="its model has no motion_decoder"):
        call("generate", *options)


def test_figures_are_those_of_the_api(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The judge is a copy here; what it says is compared with what it says through the API."""
    judge = tmp_path / "judge"
    shutil.copytree(RUN, judge, ignore=shutil.ignore_patterns("checkpoints", "galleries"))
    call("evaluate_generation", f"evaluator={judge}", "samples=2")
    printed = capsys.readouterr().out
    result = json.loads(Path(RUN, "generation/synthetic_test.json").read_text())
    figures = result["figures"]
    assert list(figures) == ["real", "generated", "mean motion", "training clip"]
    assert f"{figures['generated']['fid']:.4f}" in printed

    folder = Path("datasets/annotations/synthetic")
    entries = read_annotations(folder)
    tests = [entries[key] for key in read_split(folder, "test")]
    texts = [annotation.captions[0].text for annotation in tests]
    real = [np.load(f"datasets/motions/guoh3dfeats/{a.path}.npy") for a in tests]
    model = tmr.load(RUN)
    motions = model.generate(texts, [len(motion) / 20 for motion in real], samples=2)
    expected = tmr.evaluate_generation(model, texts, motions, real)
    for name, value in expected.items():
        assert figures["generated"][name] == pytest.approx(value, abs=1e-3), name
    paths = [features_to_joints(np.stack([m.numpy() for m in some]))[:, :, 0] for some in motions]
    roots = [
        [np.linalg.norm(path - features_to_joints(truth)[:, 0], axis=-1).mean() for path in some]
        for some, truth in zip(paths, real, strict=True)
    ]
    assert figures["generated"]["ape_root"] == pytest.approx(np.mean(roots), rel=1e-3)
    best = np.min(roots, axis=1).mean()
    assert figures["generated"]["best_ape_root"] == pytest.approx(best, rel=1e-3)
    low, high = (result["intervals"]["generated"]["ape_root"][end] for end in ("low", "high"))
    assert low < np.mean(roots) < high

    assert figures["real"]["ape_pose_global"] == figures["real"]["ave_root"] == 0
    assert figures["real"]["fid"] == pytest.approx(0, abs=1e-9)
    assert figures["training clip"]["ape_root"] > 0
    assert figures["mean motion"]["jitter"] < figures["real"]["jitter"]


def test_a_run_does_not_judge_itself(workspace: Workspace) -> None:
    with pytest.raises(InputError, match="is the run that generates; give another one"):
        call("evaluate_generation", f"evaluator={RUN}/../temos")
