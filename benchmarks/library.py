"""A library of a million windows: `python benchmarks/library.py RUN_DIR FOLDER [FOLDER ...]`.

Motions of the folders (motion files or features) are cut into windows and encoded by the model of
the run folder. What is missing to the wanted number of rows is perturbed copies of those windows,
under `copies/N/`, tagged `perturbed`: an offset for each copy of a take, as another performer has,
and noise for each window. Queries are captions through the same model, and windows that are not in
the library.

Each store is built and searched in a process of its own, by the same queries: without a filter,
and with filters that let a few files, one folder of ten, and about half of the rows pass. Recall at
12 is against exact search with the same filter. Cold is the first query after the library's files
left the page cache. Prints one table, and how busy the machine was.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

import tmr
from tmr.data import read_annotations
from tmr.search.entry import Entry
from tmr.search.filters import Filter, parse_filter, quoted
from tmr.search.library import Library
from tmr.search.stores import Store
from tmr.search.stores.factory import create_store, open_store
from tmr.search.stores.lance import LanceStore
from tmr.search.stores.memory import MemoryStore

TOP = 12
QUERIES = 100
WINDOWS = (1.0, 2.0, 4.0)
TAKE_OFFSET = 0.25  # of a copy of a take, in parts of the spread of all latents
WINDOW_NOISE = 0.15
FILTERS = (  # the index is searched for the wide ones; the others are compared exactly
    "",
    "starts_with(file, 'bandai/dataset-1_')",
    "starts_with(file, 'copies/3/')",
    "length > 1.5",
)


Part = tuple[list[Entry], torch.Tensor]


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
    built, searched = [], []
    for store in ("memory", "lance"):
        shutil.rmtree(given.scratch / store, ignore_errors=True)
        built.append(in_a_process("build", store))
        searched.append(in_a_process("search", store))
    print(f"\n{'':44}{'exact':>10}{'lance':>10}")
    for name in built[0]:
        show(name, [result[name] for result in built], 0)
    show("peak memory after all queries, MB", [result["MB"] for result in searched], 0)
    show("open, ms", [result["open ms"] for result in searched], 0)
    print(f"load of the machine at the end: {os.getloadavg()[1]:.0f}")
    exact, lance = searched
    for name in lance["filters"]:
        print(f"{name or 'no filter'} ({exact[name]['rows']:,} rows)")
        for figure in ("cold ms", "p50 ms", "p95 ms"):
            show(f"  {figure}", [result[name][figure] for result in searched], 1)
        pairs = zip(lance[name]["found"], exact[name]["found"], strict=True)
        recalls = [len({*map(tuple, ours)} & {*map(tuple, best)}) / TOP for ours, best in pairs]
        show("  recall at 12", [1, np.mean(recalls)], 3)


def show(name: str, values: list, digits: int) -> None:
    """Print a row of the table."""
    print(f"{name:44}" + "".join(f"{value:>10,.{digits}f}" for value in values), flush=True)


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
    saved = open_store(given.scratch / "base")
    base = saved if isinstance(saved, MemoryStore) else None
    for folder in given.folders:
        if base and base.count(parse_filter(f"starts_with(file, {quoted(folder.name + '/')})")):
            continue  # encoded before an interruption
        library = Library.of_folder(folder, model, windows=WINDOWS)
        base = base or MemoryStore(library.store.header, given.scratch / "base")
        for entries, latents in library.store.scan():
            base.replace([], [below(folder.name, entry) for entry in entries], latents)
        took = time.perf_counter() - start
        print(f"{folder.name}: {len(library):,} rows, {took:.0f} s in all", flush=True)
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
        "build, s": built,
        "index, s": time.perf_counter() - start,
        "vectors and columns, MB": size,
        "index, MB": megabytes(path) - size,
        "peak memory of building, MB": peak_memory(),
    }


def rows(base: MemoryStore, count: int) -> Iterator[Part]:
    """The real rows, then perturbed copies, up to a number of rows."""
    parts = list(base.scan())
    spread = torch.cat([latents for _, latents in parts]).std(dim=0)
    copy, left = 0, count
    while left:
        for part in parts:
            entries, latents = part[0][:left], part[1][:left]
            yield perturbed((entries, latents), copy, spread) if copy else (entries, latents)
            left -= len(entries)
        copy += 1


def perturbed(part: Part, copy: int, spread: torch.Tensor) -> Part:
    """A copy of rows, marked as such."""
    entries, latents = part
    generator = torch.Generator().manual_seed(copy)
    copies = [below(f"copies/{copy}", entry, tags=("perturbed",)) for entry in entries]
    numbers = {key: number for number, key in enumerate({entry.key: 0 for entry in copies})}
    offsets = torch.randn(len(numbers), latents.shape[1], generator=generator)
    noise = torch.randn(latents.shape, generator=generator)
    of_takes = offsets[[numbers[entry.key] for entry in copies]]
    return copies, latents + spread * (TAKE_OFFSET * of_takes + WINDOW_NOISE * noise)


def below(folder: str, entry: Entry, **changes: Any) -> Entry:
    """The row of a take that lies in a folder."""
    key, file = f"{folder}/{entry.key}", f"{folder}/{entry.file}"
    return replace(entry, take=replace(entry.take, key=key, file=file, **changes))


def search(given: argparse.Namespace) -> dict:
    """All queries with each filter in this process, which has done nothing before."""
    queries = torch.load(given.scratch / "queries.pt")
    path = given.scratch / given.store
    forget(path)
    start = time.perf_counter()
    store = open_store(path)
    assert store is not None
    result: dict = {"open ms": 1000 * (time.perf_counter() - start)}
    result["filters"] = [text for text in FILTERS if store.count(parse_filter(text)) >= TOP]
    for text in result["filters"]:
        where = parse_filter(text)
        measured = measure(store, queries, where, lambda: forget(path))
        result[text] = {
            "rows": store.count(where),
            "cold ms": measured.cold,
            "p50 ms": float(np.percentile(measured.warm, 50)),
            "p95 ms": float(np.percentile(measured.warm, 95)),
            "found": measured.found,
        }
    result["MB"] = peak_memory()
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


def peak_memory() -> float:
    """Megabytes that this process had at most: the kernel's ru_maxrss counts its parent's too."""
    (line,) = [
        line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line
    ]
    return int(line.split()[1]) / 1024


def megabytes(folder: Path) -> float:
    """Size of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20


if __name__ == "__main__":
    main()
