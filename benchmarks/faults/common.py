"""What all faults have in common: what is attacked, and when an attack was held."""

import random
import resource
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from tests.bodies import walk_features
from tests.processes import CONTEXT
from tests.workspace import ROOT, Workspace
from tmr.commands import cli
from tmr.data import Normalizer, TextMotionData
from tmr.errors import InputError
from tmr.io import save_array, save_pickle, write_json, write_text
from tmr.runs.build import model_of
from tmr.runs.folder import RunDir
from tmr.runs.weights import save_weights, split_modules

LONGEST_LINE = 700  # characters of an error
SECONDS = 60  # after which something hangs
SIZES = ("latent_dim=16", "ff_size=16", "num_layers=1")
TINY = (
    "data=synthetic", "model=tmr_small", "language_model=minilm", "trainer=cpu",
    *(f"model.motion_encoder.{size}" for size in SIZES),
)  # fmt: skip
Act = Callable[[], Any]


class NotHeld(Exception):
    """What went wrong."""


def held(act: Act, expected: Any = None, equal: Callable[[Any, Any], bool] | None = None) -> None:
    """Whether an act ends in a clear line, or with what it gives without a fault.

    Raises:
        NotHeld: neither.
    """
    try:
        found = act()
    except InputError as error:
        line = str(error)
        if "\n" in line or len(line) > LONGEST_LINE or any(ord(c) < 32 for c in line):
            raise NotHeld(f"no clear line: {line[:200]!r}") from None
    except BaseException as error:
        raise NotHeld(f"{type(error).__name__}: {str(error)[:200]}") from error
    else:
        if equal is None:
            raise NotHeld("accepted")
        if not equal(found, expected):
            raise NotHeld("another result")


def in_a_child(act: Act, result: Path) -> None:
    """Run an act in a process of its own; what came of it, and the memory it took."""
    process = CONTEXT.Process(target=_child, args=(act, result))
    process.start()
    process.join(SECONDS)
    if process.is_alive():
        process.kill()
        process.join()
        raise NotHeld(f"still at it after {SECONDS} s")
    if not result.is_file():
        raise NotHeld(f"ended with {process.exitcode}")
    if reason := result.read_text():
        raise NotHeld(reason)


def _child(act: Act, result: Path) -> None:
    began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    reason = ""
    try:
        held(act)
    except NotHeld as error:
        reason = str(error)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - began) / 1024
    if grown > MAX_MEGABYTES:
        reason = f"{grown:,.0f} MB of memory; {reason}"
    result.write_text(reason)


MAX_MEGABYTES = 1200  # that a bomb may take of memory: twice the largest archive that is unpacked


@dataclass
class Place:
    """What is attacked: a run folder with a small model, a data set, and what commands made."""

    folder: Path
    random: random.Random
    workspace: Workspace | None = None
    measured: list[str] = field(default_factory=list)

    def note(self, row: str) -> None:
        """Keep a row of the table of what was measured."""
        self.measured.append(row)
        print(row, flush=True)

    @property
    def run(self) -> RunDir:
        """The run folder."""
        return RunDir(self.folder / "run")

    @property
    def data(self) -> TextMotionData:
        """The data set."""
        at = self.folder
        return TextMotionData("small", f"{at}/annotations", f"{at}/features", f"{at}/stats")

    def make(self) -> None:
        """Make it: six motions of people who walk, and weights as they are drawn."""
        features = [walk_features(60 + seed, seed) for seed in range(6)]
        entries = {}
        for number, motion in enumerate(features):
            save_array(self.folder / "features" / f"{number}.npy", motion)
            caption = {"text": f"walk {number}", "start": 0, "end": len(motion) / 20}
            entries[f"k{number}"] = {
                "path": str(number), "duration": len(motion) / 20, "annotations": [caption]
            }  # fmt: skip
        write_json(self.folder / "annotations" / "annotations.json", entries)
        write_text(self.folder / "annotations" / "splits" / "train.txt", "\n".join(entries))
        Normalizer(torch.zeros(263), torch.ones(263)).save(self.folder / "stats")
        config = cli.compose(ROOT / "configs", "train", *TINY)
        torch.manual_seed(0)
        model = model_of(config)
        self.run.create(config, Normalizer(torch.zeros(263), torch.ones(263)))
        states = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
        save_pickle(self.run.checkpoints / "last.ckpt", {"state_dict": states, "epoch": 1})
        save_weights(self.run.weights(), split_modules(model.state_dict(), model.parts))


Faults = Iterator[tuple[str, Act]]


def try_all(kind: str, faults: Faults) -> tuple[int, int]:
    """How many faults were tried, and how many not held; those are printed."""
    tried = lost = 0
    for name, act in faults:
        tried += 1
        try:
            act()
        except Exception as error:
            lost += 1
            print(f"NOT HELD, {kind}, {name}: {error}", flush=True)
    return tried, lost
