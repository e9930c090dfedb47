"""The run that comes with the project, where none is named."""

from pathlib import Path

import pytest
import torch

import tmr
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


def test_it_knows_left_from_right_and_takes_at_most_8_megabytes() -> None:
    """Procedural waves that it was not trained on."""
    import numpy as np

    from tmr.synthetic.clip_builder import Spec
    from tmr.synthetic.sequences import animate

    model = tmr.load()
    rng = np.random.default_rng(987)
    sides = ("left", "right")
    motions = [animate((Spec("wave", side=side),), rng).joints for side in sides]
    scores = model.similarity([f"a person waves with the {side} hand" for side in sides], motions)
    assert torch.equal(scores.argmax(dim=1), torch.arange(2))
    assert torch.equal(scores.argmax(dim=0), torch.arange(2))
    files = list(model.run.root.rglob("*"))
    assert sum(file.stat().st_size for file in files if file.is_file()) < 8e6
    assert not [file for file in files if file.suffix == ".py"]


def test_its_files_are_those_that_its_card_tells() -> None:
    from hashlib import sha256

    root = default_run().root
    told = dict(
        reversed(line.split("  ")) for line in (root / "SHA256SUMS").read_text().splitlines()
    )
    for name, digest in told.items():
        assert sha256((root / Path(name)).read_bytes()).hexdigest() == digest
    weights = {str(p.relative_to(root)) for p in root.glob("*_weights/*")}
    assert weights <= told.keys()
