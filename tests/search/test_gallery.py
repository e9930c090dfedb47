"""Galleries as version 0.1 wrote them."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.search.conftest import LENGTHS, features
from tmr.errors import InputError
from tmr.search.gallery import take_over
from tmr.search.library import Library


@pytest.fixture
def gallery(data, model, tmp_path: Path) -> Path:
    """The gallery of the data set, with latents that no model makes."""
    records = [
        json.dumps({
            "key": key, "path": key, "captions": [f"motion {key}"], "start": 0.0,
            "end": frames / 20, "splits": ["test"],
            "stamp": data.motion_file(key).stat().st_mtime_ns,
        }).encode()
        for key, frames in LENGTHS.items()
    ]  # fmt: skip
    packed = np.frombuffer(b"".join(records), dtype=np.uint8).copy()
    tensors = {
        "latents": torch.eye(len(LENGTHS), model.dim),
        "seconds": torch.tensor([frames / 20 for frames in LENGTHS.values()]),
        "memberships": torch.ones(len(LENGTHS), dtype=torch.int64),
        "packed": torch.from_numpy(packed),
        "offsets": torch.tensor([0, *map(len, records)]).cumsum(0),
    }
    made_by = {"split_names": ["test"], "fingerprint": model.fingerprint, "version": "1"}
    save_file(tensors, tmp_path / "moves_motions.safetensors", {"tmr": json.dumps(made_by)})
    return tmp_path / "moves_motions.safetensors"


def test_a_gallery_becomes_a_library_without_encoding_again(gallery, data, model, tmp_path):
    np.save(data.motion_file("k3"), features(33, 50))
    os.utime(data.motion_file("k3"), ns=(1, 1))
    library = Library.of_data(data, model, tmp_path / "library", refresh=False)
    assert take_over(gallery, library) == 7
    assert library.refresh() == 1
    assert take_over(gallery, library) == 0
    for row, key in enumerate(LENGTHS):
        taken = torch.eye(len(LENGTHS), model.dim)[row]
        assert torch.equal(library.latent(key), taken) == (key != "k3")
    entry = Library.open(tmp_path / "library", model).entry("k1")
    assert entry.captions == ("motion k1", "a person moves") and entry.take.splits == ("test",)


def test_what_is_no_gallery_of_this_model_is_refused(gallery, data, model, tmp_path):
    library = Library.of_data(data, model, refresh=False)
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(gallery.read_bytes()[:900])
    for path in (damaged, tmp_path / "nowhere"):
        with pytest.raises(InputError, match="is no gallery of version"):
            take_over(path, library)
    raw = gallery.read_bytes()
    gallery.write_bytes(raw.replace(model.fingerprint.encode(), b"0" * len(model.fingerprint)))
    with pytest.raises(InputError, match="made by other weights than those of 'run'"):
        take_over(gallery, library)
