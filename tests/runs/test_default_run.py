"""The run that comes with the project, where none is named."""

import pytest

from tmr.errors import InputError
from tmr.runs import folder
from tmr.runs.folder import default_run


def test_it_is_looked_for_below_the_current_folder_first(tmp_path, monkeypatch) -> None:
    config = tmp_path / "models" / "open" / "config.json"
    config.parent.mkdir(parents=True)
    config.write_text("{}")
    monkeypatch.chdir(tmp_path)
    assert default_run().config.resolve() == config


def test_without_the_repository_a_run_has_to_be_named(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(folder, "__file__", str(tmp_path / "lib" / "tmr" / "runs" / "folder.py"))
    with pytest.raises(InputError, match=r"no run is named.*give run_dir=FOLDER"):
        default_run()
