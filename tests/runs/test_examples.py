"""Examples to search where nobody has made a data set."""

import runpy
from pathlib import Path

import pytest

import tmr
from tests.workspace import ROOT
from tmr.runs.default import default_run
from tmr.runs.examples import FOLDER, data_to_search


def test_the_open_model_finds_what_the_pictures_of_the_page_say_in_an_empty_folder(
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
    pictures = runpy.run_path(str(ROOT / "docs/demo/pictures.py"))
    library = tmr.Library.of_data(data, tmr.load())
    for sentence, says, never in pictures["SENTENCES"]:
        (first,) = library.search(sentence, top=1)
        assert pictures["is_right"](" / ".join(first.entry.captions), says, never)


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
