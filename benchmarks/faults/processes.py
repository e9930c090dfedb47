"""Commands that are killed, interrupted, or have no room on the disk."""

import hashlib
import os
import resource
import shutil
import signal
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from benchmarks.faults.common import SECONDS, Faults, NotHeld, Place
from tests.motion.bvh_text import person_bvh
from tests.processes import CONTEXT, run_command, start_command
from tests.workspace import Workspace
from tmr.io import PARTIAL
from tmr.search.stores.factory import open_store as open_rows

TRAIN = (
    "python train.py data=synthetic model=tmr_small language_model=minilm trainer=cpu batch_size=8 "
    "model.motion_encoder.latent_dim=16 model.motion_encoder.ff_size=16 checkpoint_minutes=0 "
    "model.motion_encoder.num_layers=1 trainer.max_epochs=2 run_dir=outputs/small"
)
# A command, how it goes on after a kill where that is another one, and what it makes.
STEPS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "import": ("python -m prepare.import_motions source=takes name=mine", "",
               ("datasets/motions/joints/mine",)),
    "features": ("python -m prepare.compute_guoh3dfeats name=mine", "",
                 ("datasets/motions/guoh3dfeats/mine", "datasets/motions/guoh3dfeats/M/mine")),
    "statistics": ("python -m prepare.motion_stats data=synthetic", "", ("stats",)),
    "embeddings": ("python -m prepare.text_embeddings data=synthetic language_model=minilm", "",
                   ("datasets/annotations/synthetic/text_embeddings",)),
    "training": (TRAIN, "python train.py resume_dir=outputs/small", ("outputs/small",)),
    "extract": ("python extract.py run_dir=outputs/quickstart", "",
                ("outputs/quickstart/last_weights",)),
    "library": ("python search.py run_dir=outputs/quickstart folder=takes text=walk windows=1", "",
                ("outputs/quickstart/libraries/last/folders",)),
    "encode_library": ("python encode_library.py run_dir=outputs/quickstart source=takes "
                       "library=lib workers=1", "", ("lib",)),
}  # fmt: skip
KILLS, ROUND = 40, 10  # of each step, and between two ends of it
TAKES, FRAMES = 20, 240
WORKERS = {"LOKY_MAX_CPU_COUNT": "2"}  # tests start none


def kills(place: Place) -> Faults:
    """Each step killed again and again at random moments: the same files in the end."""
    workspace = place.workspace
    assert workspace is not None
    make_takes(workspace)
    for step, (command, resume, made) in STEPS.items():
        clear(workspace, made)
        seconds = ended(workspace, command)
        expected = contents(workspace, made)
        print(f"{step}: {seconds:.1f} s undisturbed, {len(expected)} files", flush=True)
        for number in range(KILLS // ROUND):
            clear(workspace, made)
            for kill in range(ROUND):
                last = kill == ROUND - 1
                act = partial(
                    killed, place, (command, resume, made), seconds, expected if last else None
                )
                yield f"{step}, kill {number * ROUND + kill + 1}", act


def make_takes(workspace: Workspace) -> None:
    """Takes of people who walk."""
    takes = workspace.folder / "takes"
    takes.mkdir(exist_ok=True)
    for number in range(TAKES):
        take = person_bvh([(0, 90, number * t / 100) for t in range(FRAMES)], frame_time="0.05")
        (takes / f"{number:02}.bvh").write_text(take)


def going_on(workspace: Workspace, command: str, resume: str, made: tuple[str, ...]) -> str:
    """The command that begins a step, or goes on with it."""
    begun = (workspace.folder / made[0] / "config.json").is_file()
    return resume if resume and begun else command


def killed(
    place: Place, step: tuple[str, str, tuple[str, ...]], seconds: float, expected: Any
) -> None:
    """Kill a step at a random moment; with what is expected, let it then come to its end."""
    workspace = place.workspace
    assert workspace is not None
    output = place.folder / "printed.txt"
    line = going_on(workspace, *step)
    process = start_command(workspace.folder, line, output, environment=WORKERS)
    process.join(place.random.uniform(0, 1.1 * seconds))
    process.kill()
    process.join()
    if expected is None:
        return
    time.sleep(2.1)  # until what it left is no longer young
    ended(workspace, going_on(workspace, *step))
    found = contents(workspace, step[2])
    if found != expected:
        wrong = [n for n in {*found, *expected} if found.get(n) != expected.get(n)]
        raise NotHeld(f"other files: {sorted(wrong)[:5]}")


def ended(workspace: Workspace, command: str) -> float:
    """Seconds that a command takes to its end."""
    began = time.monotonic()
    done = workspace.run(command)
    if done.returncode:
        raise NotHeld(f"{command} ended with {done.returncode}: {done.stderr[-300:]}")
    return time.monotonic() - began


def clear(workspace: Workspace, made: tuple[str, ...]) -> None:
    """Remove what a step makes."""
    for name in made:
        shutil.rmtree(workspace.folder / name, ignore_errors=True)


def contents(workspace: Workspace, made: tuple[str, ...]) -> dict[str, str]:
    """Every file that a step made, with a digest of what counts in it."""
    found = {}
    for name in made:
        for path in sorted((workspace.folder / name).rglob("*")):
            if path.is_file() and path.name not in (".manifest.jsonl", ".lock", "train.log"):
                shown = path.relative_to(workspace.folder).as_posix()
                if "lance" not in shown:
                    found[shown] = digest(path)
                elif not any("lance" in name for name in found):
                    found["rows.lance"] = rows_digest(path)
    return found


def digest(path: Path) -> str:
    """Stands for a file without its times."""
    if path.suffix == ".ckpt":
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        kept = [*checkpoint["state_dict"].values()]
        for state in checkpoint["optimizer_states"]:
            kept += [t for s in state["state"].values() for t in s.values()]
        content = b"".join(tensor.numpy().tobytes() for tensor in kept)
    elif path.name == "rows.safetensors":
        return rows_digest(path)
    elif path.name in ("metrics.csv", "environment.json", "config.json"):  # with times, or resumed
        return ""
    elif path.suffix == ".safetensors":
        with safe_open(path, "pt") as file:
            names = sorted(file.keys())
            content = b"".join(
                file.get_tensor(n).reshape(-1).view(torch.uint8).numpy().tobytes() for n in names
            )
    else:
        content = path.read_bytes()
    return hashlib.sha256(content).hexdigest()


def rows_digest(path: Path) -> str:
    """Stands for the rows of a library: each key and span once; latents to three digits."""
    while path.name not in ("rows.safetensors", "rows.lance"):
        path = path.parent
    store = open_rows(path.parent)
    assert store is not None
    rows = [
        (entry.key, entry.start, entry.window, [round(x, 3) + 0.0 for x in latent[:4].tolist()])
        for entries, latents in store.scan()
        for entry, latent in zip(entries, latents, strict=True)
    ]
    return hashlib.sha256(repr(sorted(rows)).encode()).hexdigest()


def interrupts(place: Place) -> Faults:
    """One Ctrl-C at a random moment of each command: one line, and 130."""
    workspace = place.workspace
    assert workspace is not None
    make_takes(workspace)
    for step, (command, _, made) in STEPS.items():
        for number in range(5):
            yield f"{step}, Ctrl-C {number + 1}", partial(interrupted, place, command, made)
        clear(workspace, made)
        ended(workspace, command)  # the next step needs what it makes


def interrupted(place: Place, command: str, made: tuple[str, ...]) -> None:
    """Send one SIGINT."""
    workspace = place.workspace
    assert workspace is not None
    clear(workspace, made)
    output = place.folder / "printed.txt"
    output.write_text("")
    process = start_command(workspace.folder, command, output, environment=WORKERS)
    process.join(0.7 + place.random.uniform(0, 1.5))  # behind the imports of the interpreter
    if process.is_alive():
        assert process.pid is not None
        os.kill(process.pid, signal.SIGINT)
    process.join(SECONDS)
    printed = output.read_text()
    if process.is_alive():
        process.kill()
        raise NotHeld(f"still at it after {SECONDS} s: {printed[-300:]}")
    if process.exitcode not in (0, 130):
        raise NotHeld(f"ended with {process.exitcode}: {printed[-400:]}")
    if "Traceback" in printed or (process.exitcode == 130 and "interrupted" not in printed):
        raise NotHeld(f"no clear line: {printed[-400:]}")


def full_disks(place: Place) -> Faults:
    """No file may grow beyond some bytes, as on a full disk: one line, and nothing half written."""
    workspace = place.workspace
    assert workspace is not None
    make_takes(workspace)
    for step, (command, _, made) in STEPS.items():
        for size in (0, 1, 8, 60):
            yield f"{step}, {size} KB left", partial(filled, place, command, made, size)
        clear(workspace, made)
        ended(workspace, command)


def filled(place: Place, command: str, made: tuple[str, ...], size: int) -> None:
    """Run a command that may write that many KB into a file."""
    workspace = place.workspace
    assert workspace is not None
    clear(workspace, made)
    pipe, printed = place.folder / "pipe", []  # what a command prints is no file
    pipe.unlink(missing_ok=True)
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: printed.append(pipe.read_text()))
    reader.start()
    process = CONTEXT.Process(target=_limited, args=(size, workspace.folder, command, pipe))
    process.start()
    process.join(5 * SECONDS)
    process.kill()
    reader.join(SECONDS)
    said = "".join(printed)
    if "Traceback" in said or process.exitcode not in (0, 2):
        raise NotHeld(f"ended with {process.exitcode}: {said[-400:]}")
    partial_ = [p for name in made for p in (workspace.folder / name).rglob(f"{PARTIAL}*")]
    if partial_:
        raise NotHeld(f"left {partial_[0]}")


def _limited(size: int, folder: Path, command: str, output: Path) -> None:
    with output.open("w"):  # before the first line: whoever reads waits for one who writes
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024 * size, 1024 * size))
        run_command(folder, command, output, output, WORKERS)
