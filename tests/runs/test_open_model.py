"""The model that comes with the project."""

from hashlib import sha256

import numpy as np
import torch

import tmr
from tmr.runs.default import default_run
from tmr.synthetic.clip_builder import Spec
from tmr.synthetic.sequences import animate


def test_it_knows_left_from_right_and_takes_at_most_8_megabytes() -> None:
    """Procedural waves that it was not trained on."""

    model = tmr.load()
    rng = np.random.default_rng(987)
    sides = ("left", "right")
    motions = [animate((Spec("wave", side=side),), rng).joints for side in sides]
    scores = model.score([f"a person waves with the {side} hand" for side in sides], motions)
    assert torch.equal(scores.argmax(dim=1), torch.arange(2))
    assert torch.equal(scores.argmax(dim=0), torch.arange(2))
    files = list(model.run.root.rglob("*"))
    assert sum(file.stat().st_size for file in files if file.is_file()) < 8e6
    assert not [file for file in files if file.suffix == ".py"]


def test_its_files_are_those_that_its_card_tells() -> None:
    root = default_run().root
    told: dict[str, str] = {}
    for line in (root / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        told[name] = digest
        assert sha256((root / name).read_bytes()).hexdigest() == digest
    weights = {str(p.relative_to(root)) for p in root.glob("*_weights/*")}
    assert weights <= told.keys()
