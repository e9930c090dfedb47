"""A library of a million windows: `python benchmarks/library.py RUN_DIR FOLDER [FOLDER ...]`.

Motions of the folders (motion files or features) are cut into windows and encoded by the model of
the run folder. What is missing to the wanted number of rows is perturbed copies of those windows,
under `copies/N/`, tagged `perturbed`: an offset for each copy of a take, as another performer has,
and noise for each window. Queries are captions through the same model, and windows that are not in
the library.

Each store is built and searched in a process of its own, by the same queries: without a filter,
with one that lets a tenth of a hundredth of the rows pass (a folder), and with one that lets about
half pass. Recall at 12 is against exact search with the same filter. Cold is the first query of a
process after the library's files left the page cache. Prints one table.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

import tmr
from tmr.data import read_annotations
from tmr.search.entry import Entry
from tmr.search.filters import Filter, parse_filter
from tmr.search.library import Library
from tmr.search.stores import Store
from tmr.search.stores.factory import create_store, open_store
from tmr.search.stores.lance import LanceStore
from tmr.search.stores.memory import MemoryStore

TOP = 12
QUERIES = 100
WINDOWS = (1.0, 2.0, 4.0)
PART = 50_000  # rows added at a time
TAKE_OFFSET = 0.25  # of a copy of a take, in parts of the spread of all latents
WINDOW_NOISE = 0.15
FILTERS = {
    "no filter": "",
    "narrow: starts_with(file, 'copies/3/')": "starts_with(file, 'copies/3/')",
    "broad: length > 1.5": "length > 1.5",
}


@dataclass(frozen=True)
class Measured:
    """Milliseconds of each query and the rows that it found."""

    cold: float
    warm: list[float]
    found: list[list[tuple[str, float, float]]]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Building and searching a large library.")
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--captions", type=Path, help="folder with an annotations.json")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--scratch", type=Path, default=Path("outputs/library_benchmark"))
    parser.add_argument("--step", choices=["build", "search"], help="of one store: see the code")
    parser.add_argument("--store", choices=["memory", "lance"])
    given = parser.parse_args()
    if given.step == "build":
        print(json.dumps(build(given)))
    elif given.step == "search":
        print(json.dumps(search(given)))
    else:
        compare(given)


def compare(given: argparse.Namespace) -> None:
    """Encode once, then build and search both stores in processes of their own."""
    encode(given)
    results = {}
    for store in ("memory", "lance"):
        shutil.rmtree(given.scratch / store, ignore_errors=True)
        built = in_a_process("build", store)
        results[store] = built, in_a_process("search", store)
    exact = results["memory"][1]
    print(f"\n{'':40}{'exact':>12}{'lance':>12}")
    for name in (
        "rows",
        "build s",
        "index s",
        "vectors and columns MB",
        "index MB",
        "build peak MB",
    ):
        print(f"{name:40}" + "".join(f"{results[s][0][name]:>12,.0f}" for s in results))
    print(
        f"{'memory after all queries MB':40}"
        + "".join(f"{r[1]['MB']:>12,.0f}" for r in results.values())
    )
    print(f"{'open ms':40}" + "".join(f"{r[1]['open ms']:>12,.0f}" for r in results.values()))
    for name in FILTERS:
        print(f"{name} ({exact[name]['rows']:,} rows)")
        for figure in ("cold ms", "p50 ms", "p95 ms"):
            print(
                f"{'  ' + figure:40}"
                + "".join(f"{r[1][name][figure]:>12,.1f}" for r in results.values())
            )
        ours, best = results["lance"][1][name]["found"], exact[name]["found"]
        shares = [
            len({*map(tuple, a)} & {*map(tuple, b)}) / len(b)
            for a, b in zip(ours, best, strict=True)
        ]
        print(f"{'  recall at 12':40}{1:>12.3f}{np.mean(shares):>12.3f}")


def in_a_process(step: str, store: str) -> dict:
    """What one step prints; its memory is its own."""
    command = [sys.executable, *sys.argv, "--step", step, "--store", store]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def encode(given: argparse.Namespace) -> None:
    """The windows of the folders and the queries, kept in the scratch folder."""
    if (given.scratch / "queries.pt").is_file():
        return
    model = tmr.load(given.run_dir)
    start = time.perf_counter()
    base = None
    for folder in given.folders:
        library = Library.of_folder(folder, model, windows=WINDOWS)
        entries = [
            replace(
                e,
                take=replace(e.take, key=f"{folder.name}/{e.key}", file=f"{folder.name}/{e.file}"),
            )
            for e in library.store.entries()
        ]
        latents = torch.cat([latents for _, latents in library.store.scan()])
        base = base or MemoryStore(library.store.header, given.scratch / "base")
        base.replace([], entries, latents)
        print(
            f"{folder.name}: {len(entries):,} rows, {time.perf_counter() - start:.0f} s", flush=True
        )
    assert base is not None
    random = np.random.default_rng(0)
    texts = sorted({c.text for a in read_annotations(given.captions).values() for c in a.captions})
    sentences = random.choice(texts, QUERIES // 2, replace=False).tolist()
    held = torch.cat([latents for _, latents in base.scan()])
    seen = held[torch.from_numpy(random.choice(len(held), QUERIES // 2))]
    noise = torch.from_numpy(random.normal(size=seen.shape)).float() * held.std(dim=0)
    queries = torch.cat([model.encode_texts(sentences).cpu(), seen + 0.3 * noise])
    torch.save(F.normalize(queries, dim=-1), given.scratch / "queries.pt")


def build(given: argparse.Namespace) -> dict:
    """Write the rows to a store; times, bytes and the largest memory."""
    base = MemoryStore.open(given.scratch / "base")
    path = given.scratch / given.store
    store = create_store(base.header, path, given.store)
    start = time.perf_counter()
    if given.store == "memory":  # written once: a memory store is rewritten whole at each change
        parts = list(rows(base, given.rows))
        store.replace([], [e for es, _ in parts for e in es], torch.cat([x for _, x in parts]))
    else:
        for entries, latents in rows(base, given.rows):
            store.replace([], entries, latents)
    built = time.perf_counter() - start
    size = megabytes(path)
    start = time.perf_counter()
    if isinstance(store, LanceStore):
        store.index()
    return {
        "rows": len(store),
        "build s": built,
        "index s": time.perf_counter() - start,
        "vectors and columns MB": size,
        "index MB": megabytes(path) - size,
        "build peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def rows(base: MemoryStore, count: int):
    """The real rows, then perturbed copies, up to a number of rows."""
    parts = list(base.scan())
    spread = torch.cat([latents for _, latents in parts]).std(dim=0)
    copy = 0
    while True:
        for entries, latents in parts:
            some, latents = entries[:count], latents[:count]
            if not some:
                return
            if copy:
                some, latents = perturbed(some, latents, copy, spread)
            for first in range(0, len(some), PART):
                yield some[first : first + PART], latents[first : first + PART]
            count -= len(some)
        copy += 1


def perturbed(
    entries: list[Entry], latents: torch.Tensor, copy: int, spread: torch.Tensor
) -> tuple[list[Entry], torch.Tensor]:
    """A copy of rows, marked as such."""
    generator = torch.Generator().manual_seed(copy)
    takes, numbers = {}, []
    for entry in entries:
        take = entry.take
        if take.key not in takes:
            file = f"copies/{copy}/{take.file}"
            takes[take.key] = (
                len(takes),
                replace(take, key=f"copies/{copy}/{take.key}", file=file, tags=("perturbed",)),
            )
        numbers.append(takes[take.key][0])
    offsets = torch.randn(len(takes), latents.shape[1], generator=generator)[numbers]
    noise = torch.randn(latents.shape, generator=generator)
    moved = latents + spread * (TAKE_OFFSET * offsets + WINDOW_NOISE * noise)
    return [replace(entry, take=takes[entry.key][1]) for entry in entries], moved


def search(given: argparse.Namespace) -> dict:
    """All queries with each filter in this process, which has done nothing before."""
    queries = torch.load(given.scratch / "queries.pt")
    path = given.scratch / given.store
    forget(path)
    start = time.perf_counter()
    store = open_store(path)
    assert store is not None
    result: dict = {"open ms": 1000 * (time.perf_counter() - start)}
    for name, text in FILTERS.items():
        where = parse_filter(text)
        measured = measure(store, queries, where, lambda: forget(path))
        result[name] = {
            "rows": store.count(where),
            "cold ms": measured.cold,
            "p50 ms": float(np.percentile(measured.warm, 50)),
            "p95 ms": float(np.percentile(measured.warm, 95)),
            "found": measured.found,
        }
    result["MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return result


def measure(
    store: Store, queries: torch.Tensor, where: Filter | None, make_cold: Callable[[], None]
) -> Measured:
    """The time of each query and what it found."""
    make_cold()
    times, found = [], []
    for query in [queries[0], *queries]:
        start = time.perf_counter()
        hits = store.search(query, TOP, where)
        times.append(1000 * (time.perf_counter() - start))
        found.append([(e.key, e.start, e.window) for _, e in hits])
    return Measured(times[0], times[1:], found[1:])


def forget(folder: Path) -> None:
    """Drop the files of a folder from the page cache."""
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def megabytes(folder: Path) -> float:
    """Size of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20


if __name__ == "__main__":
    main()
