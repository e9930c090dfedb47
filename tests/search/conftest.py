"""A model with random weights and a data set of eight random motions."""

import dataclasses
import json
import multiprocessing
import os
import shutil
import signal
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from tmr.api import Model, load
from tmr.data import Normalizer, TextMotionData
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


@pytest.fixture(scope="session")
def model(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """The golden run, which has random weights, with statistics that change nothing."""
    run = tmp_path_factory.mktemp("library") / "run"
    shutil.copytree(shared / "golden" / "run", run)
    Normalizer(torch.zeros(263), torch.ones(263)).save(run / "stats")
    return dataclasses.replace(load(run), text_model=Hashed("hashed", "", "", 48))


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
    the parent, which is then killed.
    """

    run: Path
    deadly: Path | None = None

    def __call__(self) -> Model:
        if self.deadly and multiprocessing.parent_process() and not self.deadly.exists():
            self.deadly.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return load(self.run)
