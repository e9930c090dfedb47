"""The packed features: what is in the file is what the single files hold, always of today."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.damage import damaged
from tmr.data.feature_store import open_store


@pytest.fixture
def motions(tmp_path: Path) -> Path:
    """Five motions of 3 to 7 frames, two of them mirrored ones in a folder below."""
    random = np.random.default_rng(0)
    for number, path in enumerate(["a", "b", "c", "M/a", "M/b"]):
        file = tmp_path / "features" / f"{path}.npy"
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, random.normal(size=(3 + number, 263)).astype(np.float32))
    return tmp_path / "features"


PATHS = ["M/b", "a", "M/a", "c", "b"]


def test_each_motion_is_that_of_its_file(motions, tmp_path):
    store = open_store(tmp_path / "packed" / "features.safetensors", motions, PATHS)
    assert store is not None
    for path in PATHS:
        expected = torch.from_numpy(np.load(motions / f"{path}.npy"))
        assert torch.equal(store[path], expected)
    assert store.features.shape == (25, 263)


def test_it_is_written_once_and_again_when_a_file_changes(motions, tmp_path):
    file = tmp_path / "features.safetensors"
    open_store(file, motions, PATHS)
    written = file.stat().st_ino
    open_store(file, motions, PATHS)
    assert file.stat().st_ino == written
    changed = np.zeros((3, 263), dtype=np.float32)  # as many frames as before
    np.save(motions / "a.npy", changed)
    store = open_store(file, motions, PATHS)
    assert store is not None
    assert file.stat().st_ino != written
    assert not store["a"].any()


def test_a_removed_and_a_damaged_motion_are_left_out(motions, tmp_path, caplog):
    (motions / "b.npy").unlink()
    (motions / "c.npy").write_bytes(b"not numpy")
    store = open_store(tmp_path / "features.safetensors", motions, PATHS)
    assert store is not None
    assert {path for path in PATHS if path in store} == {"a", "M/a", "M/b"}
    assert "c.npy cannot be read" in caplog.text
    assert torch.equal(store["M/b"], torch.from_numpy(np.load(motions / "M" / "b.npy")))


def test_a_damaged_store_is_made_again(motions, tmp_path):
    file = tmp_path / "features.safetensors"
    open_store(file, motions, PATHS)
    for what, content in damaged(file.read_bytes(), seed=1):
        file.write_bytes(content)
        store = open_store(file, motions, PATHS)
        assert store is not None
        for path in PATHS:
            expected = torch.from_numpy(np.load(motions / f"{path}.npy"))
            assert torch.equal(store[path], expected), what


def test_where_nothing_can_be_written_there_is_a_warning_and_no_store(motions, tmp_path, caplog):
    (tmp_path / "taken").write_text("a file where a folder should be")
    assert open_store(tmp_path / "taken" / "features.safetensors", motions, PATHS) is None
    assert "from single files" in caplog.text
