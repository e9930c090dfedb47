"""Does a run that is killed again and again end as it should? `python benchmarks/crash.py`.

Trains a small model on the embedded data set with the command itself: once to the end, and once
with `kill -9` at random moments, each time going on with `resume_dir=`. One line a kill: when it
came, the checkpoint that it left, and whether it met the writing of the next one. At the end,
whether weights, the optimizer's state and the table of epochs are those of the undisturbed run, bit
for bit.
"""

import argparse
import csv
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
TINY = ("latent_dim=16", "ff_size=16", "num_layers=1")
CLOCK = ("time", "seconds")


def main() -> None:
    """Train twice, compare."""
    parser = argparse.ArgumentParser(description="Kill a training run again and again.")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--data", default="synthetic")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("options", nargs="*", help="more options of train.py")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        undisturbed, disturbed = Path(folder) / "undisturbed", Path(folder) / "disturbed"
        command = [
            f"data={options.data}",
            "model=tmr_small",
            "language_model=minilm",
            "trainer=cpu",
        ]
        command += [f"model.motion_encoder.{size}" for size in TINY]
        command += [f"trainer.max_epochs={options.epochs}", "checkpoint_minutes=0"]
        command += options.options
        began = time.monotonic()
        process = train([*command, f"run_dir={undisturbed}"])
        while process.poll() is None and not last_of(undisturbed).is_file():
            time.sleep(0.01)
        first = time.monotonic() - began
        process.wait()
        rest = time.monotonic() - began - first
        print(
            f"undisturbed: first checkpoint after {first:.1f} s, end {rest:.1f} s later", flush=True
        )
        kills = kill_again_and_again(command, disturbed, options, first, rest)
        train(going_on(command, disturbed)).wait()
        print(f"{kills} kills; weights {verdict(weights, undisturbed, disturbed)}, ", end="")
        print(f"optimizer {verdict(optimizer, undisturbed, disturbed)}, ", end="")
        print(f"table of epochs {verdict(epochs, undisturbed, disturbed)}")


def train(arguments: list[str]) -> subprocess.Popen[bytes]:
    """The command, started; what it prints is of no interest but for errors."""
    return subprocess.Popen(
        [sys.executable, "train.py", *arguments], cwd=ROOT, stdout=subprocess.DEVNULL
    )


def going_on(command: list[str], run_dir: Path) -> list[str]:
    """Arguments that begin the run, or continue it."""
    begun = (run_dir / "config.json").is_file()
    return [f"resume_dir={run_dir}"] if begun else [*command, f"run_dir={run_dir}"]


def kill_again_and_again(
    command: list[str], run_dir: Path, options: argparse.Namespace, first: float, rest: float
) -> int:
    """Kill the run at random moments; how often that came before its end.

    An undisturbed run has its first checkpoint after ``first`` seconds and ends ``rest`` later.
    Every fourth kill meets the start of the process, before its first checkpoint as a rule. The
    others come behind a checkpoint, so soon that the run lasts for all of them.
    """
    moments = random.Random(options.seed)
    last = last_of(run_dir)
    for number in range(1, options.kills + 1):
        before = last.stat().st_mtime_ns if last.is_file() else None
        process = train(going_on(command, run_dir))
        if number % 4:
            while process.poll() is None and (
                not last.is_file() or last.stat().st_mtime_ns == before
            ):
                time.sleep(0.002)
            what, delay = "after its first checkpoint", moments.uniform(0, rest / options.kills)
        else:
            what, delay = "after its start", moments.uniform(0, first)
        time.sleep(delay)
        if process.poll() is not None:
            print(f"the run ended before kill {number}: give it more --epochs")
            return number - 1
        process.send_signal(signal.SIGKILL)
        process.wait()
        print(f"kill {number:2d}: {delay:6.3f} s {what}; {state(last)}", flush=True)
    return options.kills


def last_of(run_dir: Path) -> Path:
    """The run's checkpoint."""
    return run_dir / "logs" / "checkpoints" / "last.ckpt"


def state(last: Path) -> str:
    """Where the checkpoint is, and whether a half-written one lies beside it."""
    if not last.is_file():
        return "no checkpoint"
    checkpoint = load(last)
    halves = [path for path in last.parent.glob(".*") if path.stat().st_size]
    place = f"epoch {checkpoint['epoch'] + 1}, {checkpoint['global_step']} steps in all"
    return f"{place}{', while writing the next' if halves else ''}"


def load(path: Path) -> dict:
    """A checkpoint."""
    return torch.load(path, map_location="cpu", weights_only=True)


def weights(run_dir: Path) -> list[torch.Tensor]:
    """Of the last epoch."""
    return list(load(last_of(run_dir))["state_dict"].values())


def optimizer(run_dir: Path) -> list[torch.Tensor]:
    """AdamW's two means and step for each weight."""
    (states,) = load(last_of(run_dir))["optimizer_states"]
    return [tensor for state in states["state"].values() for tensor in state.values()]


def epochs(run_dir: Path) -> list[torch.Tensor]:
    """Losses and figures of all epochs; not the times."""
    with (run_dir / "logs/metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    return [
        torch.tensor([float(v) for name, v in row.items() if name not in CLOCK]) for row in rows
    ]


def verdict(part, undisturbed: Path, disturbed: Path) -> str:
    """Whether a part of two runs is the same, bit for bit."""
    ours, theirs = part(disturbed), part(undisturbed)
    same = len(ours) == len(theirs) and all(map(torch.equal, ours, theirs))
    return "identical" if same else "DIFFERENT"


if __name__ == "__main__":
    main()
