"""A model with random weights and a data set of eight random motions."""

import dataclasses
import json
import os
import signal
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from tmr.api import Model, load
from tmr.data import Normalizer, TextMotionData
from tmr.io import write_json
from tmr.runs.build import model_of
from tmr.runs.weights import save_weights
from tmr.text import TextModel

LENGTHS = {f"k{number}": 40 + 7 * number for number in range(8)}
SPLITS = {"test": ["k0", "k1", "k2"], "train": ["k3", "k4", "k5", "k6", "k7"]}


class Hashed(TextModel):
    """Token states drawn at random from a seed that the caption is."""

    def tokens(self, captions: Sequence[str]) -> list[np.ndarray]:
        states = [
            np.random.default_rng(zlib.crc32(c.encode())).normal(size=(len(c.split()), 48))
            for c in captions
        ]
        return [s.astype(np.float32) for s in states]

    def sentences(
        self, captions: Sequence[str], on_batch: Callable[[int], object] | None = None
    ) -> list[np.ndarray]:
        return [np.zeros(3, np.float32) for _ in captions]

    def token_counts(self, captions: Sequence[str]) -> list[int]:
        return [len(caption.split()) for caption in captions]


ENCODER = {
    "_target_": "tmr.model.ActorEncoder", "latent_dim": 32, "ff_size": 64, "num_layers": 2,
    "num_heads": 4, "dropout": 0.1,
}  # fmt: skip
CONFIG = {
    "data": {"_target_": "tmr.data.TextMotionData", "name": "none", "annotations": "",
             "motions": "", "stats": ""},
    "language_model": {"_target_": "tmr.text.TextModel", "name": "none", "token_model": "",
                       "sentence_model": "", "token_dim": 48},
    "model": {
        "_target_": "tmr.model.TMR", "motion_encoder": ENCODER | {"nfeats": 263},
        "text_encoder": ENCODER | {"nfeats": 48}, "motion_decoder": None,
        "loss_weights": {"recons": 0, "kl": 0, "latent": 0, "contrastive": 1.0},
        "temperature": 0.1, "threshold_selfsim": 0.8,
    },
}  # fmt: skip


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A small model with random weights, and statistics that change nothing."""
    run = tmp_path_factory.mktemp("library") / "run"
    write_json(run / "config.json", CONFIG)
    torch.manual_seed(0)
    network = model_of(CONFIG)
    save_weights(run / "last_weights", {n: getattr(network, n).state_dict() for n in network.parts})
    Normalizer(torch.zeros(263), torch.ones(263)).save(run / "stats")
    return dataclasses.replace(load(run), text_model=Hashed("hashed", "tokens", "sentences", 48))


def features(seed: int, frames: int) -> np.ndarray:
    """Random features of one motion."""
    return np.random.default_rng(seed).normal(size=(frames, 263)).astype(np.float32)


@pytest.fixture
def data(tmp_path: Path) -> TextMotionData:
    """Eight random motions in two splits; each has a caption of its own, and all share one."""
    entries = {}
    for seed, (key, frames) in enumerate(LENGTHS.items()):
        (tmp_path / "features").mkdir(exist_ok=True)
        np.save(tmp_path / "features" / f"{key}.npy", features(seed, frames))
        spans = [(f"motion {key}", 0, frames / 20), ("a person moves", 0, frames / 20)]
        entries[key] = {
            "path": key,
            "duration": frames / 20,
            "annotations": [{"text": t, "start": start, "end": end} for t, start, end in spans],
        }
    splits = tmp_path / "annotations" / "splits"
    splits.mkdir(parents=True)
    for name, keys in SPLITS.items():
        (splits / f"{name}.txt").write_text("\n".join(keys))
    (splits.parent / "annotations.json").write_text(json.dumps(entries))
    return TextMotionData("moves", str(splits.parent), str(tmp_path / "features"), "")


@dataclasses.dataclass(frozen=True)
class LoadRun:
    """Loads the model of a run folder, in a worker too.

    ``deadly`` is a file that is made by the first process that loads the model elsewhere than in
    the one that made this, which is then killed.
    """

    run: Path
    deadly: Path | None = None
    parent: int = dataclasses.field(default_factory=os.getpid)

    def __call__(self) -> Model:
        if self.deadly and os.getpid() != self.parent and not self.deadly.exists():
            self.deadly.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return load(self.run)
