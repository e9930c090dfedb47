"""Examples to search where nobody has made a data set."""

from pathlib import Path

import pytest

from tmr.runs.default import default_run
from tmr.runs.examples import FOLDER, data_to_search


def test_the_open_model_finds_motions_to_search_in_an_empty_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = default_run()
    data = data_to_search(run, run.read_config())
    assert Path(data.annotations).is_relative_to(FOLDER)
    present = data.present("test")
    assert len(present) == 200  # a hundred and their mirrored copies
    assert all(data.motion_file(annotation.path).is_file() for annotation in present)
    made = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npy")}
    data_to_search(run, run.read_config())
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npy")} == made


def test_a_data_set_that_is_there_goes_before_examples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = default_run()
    config = run.read_config()
    annotations = Path(config["data"]["annotations"])
    annotations.mkdir(parents=True)
    (annotations / "annotations.json").write_text("{}")
    assert data_to_search(run, config).annotations == str(annotations)
    assert not FOLDER.exists()
