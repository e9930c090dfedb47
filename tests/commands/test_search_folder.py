"""Searching a folder of motion files from the shell, with a trained model."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.workspace import call
from tmr.errors import InputError
from tmr.motion.writers import write_bvh


@pytest.fixture(scope="module")
def run(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained run in the published format."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    shutil.copytree(shared / "golden" / "bandai_run", folder)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def takes(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three takes in a folder with a name that a shell and Hydra trip over."""
    folder = tmp_path_factory.mktemp("archive") / "takes (1), [raw]=José"
    with np.load(shared / "golden" / "features.npz") as golden:
        for name in ("000000", "000002", "000021"):
            write_bvh(folder / "deep" / f"{name}.bvh", golden[f"{name}.recovered"])
    (folder / "broken.bvh").write_text("nothing")
    return folder


def test_a_folder_is_searched_and_its_results_written(run, takes, tmp_path, capsys):
    options = (f"run_dir={run}", f"folder={takes}", "text=a person walks, then it's over")
    call("search", *options, "top=2", f"output={tmp_path}/found.csv")
    printed = capsys.readouterr().out.splitlines()
    start = printed.index('"a person walks, then it\'s over"')
    assert printed[start + 1].split() == ["rank", "score", "motion", "seconds", "frames"]
    with (tmp_path / "found.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["rank"] for row in rows] == ["1", "2"]
    assert float(rows[0]["score"]) >= float(rows[1]["score"])
    first = printed[start + 2].split()
    assert first[:3] == ["1", f"{float(rows[0]['score']):.3f}", rows[0]["file"]]
    frames = float(rows[0]["end"]) * float(rows[0]["fps"])
    assert rows[0]["file"].startswith("deep/") and rows[0]["start"] == "0.0"
    assert int(rows[0]["end_frame"]) == pytest.approx(frames, abs=1.5)

    call("search", *options, "windows=1.0", "top=3", f"output={tmp_path}/found.json")
    moments = json.loads((tmp_path / "found.json").read_text())
    assert 1 <= len(moments) <= 3
    assert all(0 <= moment["start"] < moment["end"] for moment in moments)


def test_a_file_finds_its_like_in_a_folder(run, takes, tmp_path):
    call(
        "motion_to_motion", f"run_dir={run}", f"npy={takes}/deep/000002.bvh", f"folder={takes}",
        f"output={tmp_path}/found.json", "where=length > 1",
    )  # fmt: skip
    found = json.loads((tmp_path / "found.json").read_text())
    assert found[0]["key"] == "deep/000002" and found[0]["score"] > 0.999


def test_what_cannot_be_used_is_refused_before_anything_is_encoded(takes):
    options = ("run_dir=nowhere", f"folder={takes}", "text=x")
    for option, reason in {
        "output=found.txt": "expected a file ending in .csv or .json",
        "where=speed > 2": "unknown field speed",
        "windows=0.1": "windows=0.1: expected a number, at least 0.5",
        "top=0": "top=0: expected a whole number, at least 1",
    }.items():
        with pytest.raises(InputError, match=reason):
            call("search", *options, option)


def test_a_folder_that_is_no_library_is_named_with_the_right_option(run, takes):
    with pytest.raises(InputError, match="for a folder of motion files give folder="):
        call("search", f"run_dir={run}", f"library={takes}", "text=x")
    with pytest.raises(InputError, match="give one of folder=FOLDER, library=LIBRARY and data"):
        call("search", f"run_dir={run}", f"library={takes}", f"folder={takes}", "text=x")
