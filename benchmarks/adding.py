"""The page on a large library that grows: `python -m benchmarks.adding RUN_DIR FOLDER`.

A library of 200,000 rows is made from motion files of the folder: takes with their windows, and
perturbed copies of those. The page is opened on it, and its HTTP API is asked for sentences, first
alone, then while the page adds 100 more takes of the folder, then alone again. Prints one table:
the time of a search and the processor time of the server meanwhile.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

import numpy as np
import torch
from gradio_client import Client

import tmr
from benchmarks.library import WINDOWS, perturbed
from tmr.motion.folders import find_files
from tmr.motion.read import READERS
from tmr.search.library import Library

ROWS = 200_000
ADDED = 100
QUERIES = 50


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Searching the page while it adds takes.")
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--scratch", type=Path, default=Path("outputs/adding"))
    given = parser.parse_args()
    takes, kept = given.scratch / "takes", given.scratch / "library"
    shutil.rmtree(given.scratch, ignore_errors=True)
    takes.mkdir(parents=True)
    files = find_files(given.folder, READERS).files
    for file in files[ADDED : 2 * ADDED]:
        shutil.copy(file, takes)
    fill(Library.of_folder(takes, tmr.load(given.run_dir), kept, windows=WINDOWS), given.rows)
    with served(given.run_dir, kept) as (address, process):
        client = Client(address, verbose=False)
        ask(address, 0)  # loads the language model
        show("alone", address, process, lambda done: done == QUERIES)
        for file in files[:ADDED]:
            shutil.copy(file, takes)
        job = client.submit("takes", api_name="/refresh_library")
        show(f"while {ADDED} takes are added", address, process, lambda _: job.done())
        job.result()
        show("alone again", address, process, lambda done: done == QUERIES)


def fill(library: Library, rows: int) -> None:
    """Add perturbed copies of a library's rows to it.

    They have no file, or else a refresh would take them for gone.
    """
    ((entries, latents),) = library.store.scan()
    spread = latents.std(dim=0)
    made = [perturbed((entries, latents), n, spread) for n in range(1, rows // len(entries))]
    copies = [replace(e, take=replace(e.take, file="")) for part, _ in made for e in part]
    library.store.replace([], copies, torch.cat([part for _, part in made]))
    print(f"{len(library):,} rows")


@contextmanager
def served(run_dir: Path, kept: Path) -> Iterator[tuple[str, int]]:
    """The page on a library: its address and its process."""
    command = [sys.executable, "app.py", f"run_dir={run_dir}", f"library={kept}", "port=0"]
    with subprocess.Popen([*command, "device=cpu"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        for line in server.stdout:
            if found := re.search(r"is open at (\S+)", line):
                yield found[1], server.pid
                break
        server.terminate()


def ask(address: str, number: int) -> float:
    """Milliseconds of one search."""
    start = time.perf_counter()
    words = quote(f"a person walks {number} steps")
    with urlopen(f"{address.rstrip('/')}/api/search?q={words}&k=12") as answer:
        assert len(json.load(answer)["results"]) == 12
    return 1000 * (time.perf_counter() - start)


def show(what: str, address: str, process: int, ended: Callable[[int], bool]) -> None:
    """Search until something has ended, and print a row."""
    times: list[float] = []
    start, cpu = time.perf_counter(), cpu_seconds(process)
    while not ended(len(times)):
        times.append(ask(address, len(times)))
        time.sleep(0.2)  # as people do
    took, used = time.perf_counter() - start, cpu_seconds(process) - cpu
    p50, p95, longest = np.percentile(times, [50, 95, 100])
    print(
        f"{what:28} {len(times):4} searches in {took:5.1f} s: p50 {p50:6.0f}, p95 {p95:6.0f}, "
        f"longest {longest:6.0f} ms; processor {used:5.1f} s; load {os.getloadavg()[0]:.1f}",
        flush=True,
    )


def cpu_seconds(process: int) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
