"""The commands of localization, recognition and mining, on a small trained run."""

import json

import numpy as np
import pytest

import tmr
from tests import workspace as project
from tests.workspace import Workspace
from tmr.errors import InputError

RUN = "outputs/quickstart"


@pytest.fixture
def workspace(quickstart, monkeypatch) -> Workspace:
    monkeypatch.chdir(quickstart[0].folder)
    return quickstart[0]


def call(name: str, *arguments: str) -> None:
    project.call(name, f"run_dir={RUN}", *arguments)


@pytest.fixture
def long_motion(workspace, tmp_path):
    """Three motions' features concatenated: the root is relative, so this is a motion."""
    files = sorted(workspace.folder.glob("datasets/motions/guoh3dfeats/synthetic/*.npy"))[:3]
    path = tmp_path / "long motion.npy"
    np.save(path, np.concatenate([np.load(file) for file in files]))
    return path


def test_a_motion_is_localized_by_the_command(workspace, long_motion, tmp_path):
    target = tmp_path / "found"
    printed = workspace.succeed(
        f"python localize.py run_dir={RUN} text='a person kicks, then waves' npy='{long_motion}' "
        f"top=3 output={target}"
    )
    assert '"a person kicks, then waves"' in printed
    found = json.loads(target.with_name("found.json").read_text())
    seconds = len(np.load(long_motion)) / 20
    assert found["seconds"] == seconds
    assert len(found["curve"]) == len(np.load(long_motion))
    fits = [moment["fit"] for moment in found["moments"]]
    assert fits == sorted(fits, reverse=True)
    assert all(0 <= m["start"] < m["end"] <= seconds for m in found["moments"])
    assert all(m["end"] - m["start"] >= 0.5 for m in found["moments"])
    assert target.with_name("found.png").read_bytes().startswith(b"\x89PNG")


def test_a_folder_is_encoded_once(workspace, capsys, tmp_path):
    library = tmp_path / "library"
    library.mkdir()
    for file in sorted(workspace.folder.glob("datasets/motions/guoh3dfeats/synthetic/*.npy"))[:4]:
        np.save(library / file.name, np.load(file))
    np.save(library / "short.npy", np.zeros((5, 263), dtype=np.float32))
    options = ("text=walks", f"folder={library}", f"output={tmp_path}/out.csv", "top=4")
    call("localize", *options)
    first = capsys.readouterr().out
    rows = (tmp_path / "out.csv").read_text().splitlines()
    assert rows[0] == "name,start,end,score,fit,confidence" and len(rows) == 5
    (cache,) = (workspace.folder / RUN / "windows").glob("library-*.safetensors")
    made = cache.stat().st_mtime_ns
    call("localize", *options)
    assert capsys.readouterr().out == first
    assert cache.stat().st_mtime_ns == made
    (library / "short.npy").unlink()
    call("localize", *options)
    assert capsys.readouterr().out == first
    assert cache.stat().st_mtime_ns != made


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["text=walks"], "give one of npy=FILE"),
        (["text=walks", "library=nowhere"], "no library at nowhere"),
        (["text=walks", "folder=nowhere"], "no folder or file nowhere"),
        (["text=", "npy=five.npy"], "empty"),
        (["text=walks", "npy=five.npy"], "5 frames"),
    ],
)
def test_bad_input_of_localize_is_refused(workspace, monkeypatch, tmp_path, options, message):
    motion = np.load(workspace.folder / "datasets/motions/guoh3dfeats/synthetic/00000.npy")
    np.save(tmp_path / "five.npy", motion[:5])
    options = [option.replace("five.npy", str(tmp_path / "five.npy")) for option in options]
    with pytest.raises(InputError, match=message):
        call("localize", *options)


def test_evaluation_fits_a_calibration_and_then_uses_it(workspace, capsys, long_motion, tmp_path):
    run = workspace.folder / RUN / "localization"
    call("evaluate_localization", "split=val", "clips=2", "sequences=3")
    assert "R@1 IoU 0.5" in capsys.readouterr().out
    record = json.loads((run / "synthetic_val_x2.json").read_text())
    assert record["sequences"] == 3
    assert set(record["figures"]) == {"model", "random", "whole"}
    assert 0 <= record["calibration_error"] <= 1
    call("localize", "text=walks", f"npy={long_motion}", "picture=false", f"output={tmp_path}/o")
    assert "confidence" in capsys.readouterr().out
    (run / "calibration.json").write_text("[]")
    with pytest.raises(InputError, match="split=val"):
        call("localize", "text=walks", f"npy={long_motion}")
    (run / "calibration.json").unlink()


def test_a_split_without_the_labels_is_refused(workspace):
    with pytest.raises(InputError, match=r"none of .* has a label of labels=bandai_content"):
        call("zero_shot", "labels=bandai_content")


def test_mining_writes_a_report(workspace, capsys):
    call("mine_pairs", "split=val", "clusters=3")
    folder = workspace.folder / RUN / "mining/synthetic_val"
    assert (folder / "report.md").read_text() in capsys.readouterr().out
    mined = json.loads((folder / "mined.json").read_text())
    assert sum(len(cluster["keys"]) for cluster in mined["clusters"]) == mined["motions"]


def test_a_motion_of_the_data_set_finds_itself_as_a_file_only(workspace, capsys):
    annotations = json.loads(
        (workspace.folder / "datasets/annotations/synthetic/annotations.json").read_text()
    )
    key = (
        (workspace.folder / "datasets/annotations/synthetic/splits/val.txt").read_text().split()[0]
    )
    file = workspace.folder / f"datasets/motions/guoh3dfeats/{annotations[key]['path']}.npy"
    call("motion_to_motion", f"npy={file}", "split=val", "top=1")
    score, found = capsys.readouterr().out.splitlines()[-1].split()[1:3]
    assert (float(score), found) == (1.0, key)
    call("motion_to_motion", f"key={key}", "split=val")
    assert f" {key} " not in capsys.readouterr().out
    call("motion_to_text", f"key={key}", "split=val", 'text=["a", "b"]')
    assert len(capsys.readouterr().out.splitlines()) == 3
    with pytest.raises(InputError, match="either npy=FILE"):
        call("motion_to_text", "split=val")


def test_every_take_of_a_folder_gets_its_captions(workspace, tmp_path, capsys):
    takes = tmp_path / "takes, new"
    takes.mkdir()
    for file in sorted(workspace.folder.glob("datasets/motions/guoh3dfeats/synthetic/*.npy"))[:2]:
        np.save(takes / file.name, np.load(file))
    output = f"output={tmp_path}/captions.json"
    call("motion_to_text", f"folder={takes}", 'text=["a kick", "a bow"]', output)
    rows = json.loads((tmp_path / "captions.json").read_text())
    assert [(row["motion"], row["rank"]) for row in rows] == [
        ("00000", 1), ("00000", 2), ("00001", 1), ("00001", 2)
    ]  # fmt: skip
    expected = tmr.load(RUN).score(["a kick", "a bow"], [np.load(takes / "00000.npy")])
    assert {row["caption"]: row["score"] for row in rows[:2]} == pytest.approx(
        dict(zip(["a kick", "a bow"], expected[:, 0].tolist(), strict=True)), abs=1e-4
    )
    assert "00001\n" in capsys.readouterr().out
