"""Kill what encodes a library, again and again: `python benchmarks/kills.py RUN_DIR FOLDER`.

A parent with two workers encodes the motions of a folder. Workers and parents are killed (SIGKILL)
in turn while they encode; a killed parent is started again. Then the rows are compared with those
of an undisturbed run: the same keys and windows, none missing and none twice, latents equal to
1e-5. With `--engine ray`, the workers are those of two Ray nodes that the script starts.
"""

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import torch

import tmr
from tmr.search import encoding
from tmr.search.encoding import encode_library
from tmr.search.engines import Processes, Ray
from tmr.search.library import Library
from tmr.search.sources import FolderSource

WINDOWS = (1.0, 2.0)
WORKERS = 2
FILES_PER_BATCH = 4
COMMIT_SECONDS = 1.0
PORT = 46379  # of the Ray cluster


@dataclass(frozen=True)
class LoadRun:
    """Loads the model in a worker."""

    run_dir: str

    def __call__(self) -> tmr.Model:
        """The model."""
        return tmr.load(self.run_dir)


def main() -> None:
    """Kill, finish, compare."""
    parser = argparse.ArgumentParser(description="Kill what encodes a library.")
    parser.add_argument("run_dir")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--engine", choices=["processes", "ray"], default="processes")
    parser.add_argument("--scratch", type=Path, default=Path("outputs/kills"))
    parser.add_argument("--encode", type=Path, help="library that this process encodes")
    given = parser.parse_args()
    if given.encode:
        encode(given)
        return
    whole, killed = given.scratch / "whole", given.scratch / "killed"
    shutil.rmtree(given.scratch, ignore_errors=True)
    given.scratch.mkdir(parents=True)
    with cluster(given.engine):
        assert run(given, whole) is None
        start, kills = time.perf_counter(), Counter[str]()
        while kills.total() < given.kills:
            victim = run(given, killed, "worker" if kills.total() % 2 else "parent", kills)
            if victim is None:
                print("finished before all kills; the folder is too small", flush=True)
                break
        while run(given, killed) is not None:
            pass
    took = time.perf_counter() - start
    compare(
        Library.open(whole, tmr.load(given.run_dir)), Library.open(killed, tmr.load(given.run_dir))
    )
    print(f"{given.engine}: {dict(kills)} killed in {took:.0f} s")


def encode(given: argparse.Namespace) -> None:
    """Encode in this process, one line for each batch."""
    encoding.FILES_PER_BATCH, encoding.COMMIT_SECONDS = FILES_PER_BATCH, COMMIT_SECONDS
    engine = Ray(WORKERS, f"127.0.0.1:{PORT}") if given.engine == "ray" else Processes(WORKERS)
    source = FolderSource.at(given.folder)
    encode_library(
        source, LoadRun(given.run_dir), given.encode, engine, windows=WINDOWS,
        progress=lambda done, total: print(f"{done} of {total}", flush=True),
    )  # fmt: skip


def run(
    given: argparse.Namespace, library: Path, victim: str = "", kills: Counter | None = None
) -> str | None:
    """Encode in a process; where there is a victim, kill it after some batches, once or until a
    parent is killed. What was killed last, None when the encoding ended by itself."""
    command = [sys.executable, *sys.argv, "--encode", str(library)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        left = random.randint(1, 3)
        for line in parent.stdout:
            left -= 1
            if not victim or kills is None or left > 0 or kills.total() >= given.kills:
                continue
            workers = workers_of(parent.pid, given.engine)
            if victim == "worker" and not workers:
                continue
            kills[victim] += 1
            print(f"kill {kills.total()}: a {victim} after {line.strip()}", flush=True)
            if victim == "parent":
                parent.kill()
                return victim
            kill(random.choice(workers))
            victim, left = random.choice(("parent", "worker")), random.randint(1, 3)
        status = parent.wait()
    assert status == 0, status
    return None


def workers_of(parent: int, engine: str) -> list[int]:
    """The processes that encode: children of the parent, or of the Ray nodes of this script."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (place / "cmdline").read_bytes()
            status = (place / "stat").read_text().rpartition(")")[2].split()
            if engine == "ray":
                if words.startswith(b"ray::encode_batch"):
                    found.append(int(place.name))
            elif int(status[1]) == parent and b"spawn_main" in words:
                found.append(int(place.name))
    return found


def kill(process: int) -> None:
    """Kill at once."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


@contextlib.contextmanager
def cluster(engine: str):
    """Two Ray nodes on this machine, each with two CPUs, for the time of the block."""
    if engine != "ray":
        yield
        return
    ray = str(Path(sys.executable).with_name("ray"))
    # Ray would give its workers a niceness of 15, with which a busy machine starves them.
    environment = os.environ | {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
    common = ["--num-cpus=2", "--object-store-memory=100000000", "--block"]
    head = [ray, "start", "--head", f"--port={PORT}", "--include-dashboard=false", *common]
    other = [ray, "start", f"--address=127.0.0.1:{PORT}", *common]
    nodes = []
    try:
        for command in (head, other):
            nodes.append(subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL))
            time.sleep(20)
        yield
    finally:
        for node in reversed(nodes):
            node.terminate()
            node.wait()


def compare(whole: Library, killed: Library) -> None:
    """Both have the same rows, each once."""
    expected, found = rows_of(whole), rows_of(killed)
    counts = Counter(place for place, _ in found)
    twice = [place for place, count in counts.items() if count > 1]
    missing = {place for place, _ in expected} - counts.keys()
    more = counts.keys() - {place for place, _ in expected}
    print(f"{len(expected):,} rows undisturbed, {len(found):,} after the kills")
    print(f"{len(missing)} missing, {len(twice)} twice, {len(more)} that should not be there")
    latents = dict(found)
    difference = max(float((latents[place] - latent).abs().max()) for place, latent in expected)
    print(f"largest difference of a latent {difference:.1e}")
    assert not missing and not twice and not more and difference < 1e-5


def rows_of(library: Library) -> list[tuple[tuple, torch.Tensor]]:
    """Key, start and window of each row, with its latent."""
    return [
        ((entry.key, entry.start, entry.window), latent)
        for entries, latents in library.store.scan()
        for entry, latent in zip(entries, latents, strict=True)
    ]


if __name__ == "__main__":
    main()
