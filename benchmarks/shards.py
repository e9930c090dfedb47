"""Ten million rows in half precision, in shards: `python -m benchmarks.shards BASE`.

BASE is a folder with a library in memory, such as the one that `library.py` leaves in its scratch
folder. Its rows and perturbed copies of them are written in half precision. A query is searched
exactly in each shard, one after another, and the bests are merged. Prints, for several numbers of
shards of the same rows: the slowest shard of a query, which is what a query takes where each shard
has a machine of its own; the merge; and whether the merged cosines are those of all rows in one.
"""

import argparse
import shutil
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.library import TAKE_OFFSET, TOP, WINDOW_NOISE
from tmr.search.stores.memory import MemoryStore

ROWS = 10_000_000
SHARDS = (1, 2, 5, 10, 20)
QUERIES = 5
CHUNK = 65_536


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Exact search in shards, merged.")
    parser.add_argument("base", type=Path)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--scratch", type=Path, default=Path("outputs/shards"))
    given = parser.parse_args()
    base = torch.cat([latents for _, latents in MemoryStore.open(given.base).scan()])
    given.scratch.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    rows = write(base, given.scratch / "rows.f16", given.rows)
    print(f"{given.rows:,} rows of {base.shape[1]}, {rows.nbytes / 1e9:.1f} GB, written in "
          f"{time.perf_counter() - start:.0f} s", flush=True)  # fmt: skip
    queries = F.normalize(base[:: len(base) // QUERIES][:QUERIES] + 0.1 * base.std(dim=0), dim=-1)
    whole = [search(rows, query, 0)[0] for query in queries]
    print(f"{'shards':>6} {'rows of one':>12} {'slowest, ms':>12} {'merge, ms':>10}  as in one")
    for count in SHARDS:
        show(rows, queries, whole, count)
    shutil.rmtree(given.scratch)


def show(rows: np.ndarray, queries: torch.Tensor, whole: list[list[float]], count: int) -> None:
    """Print the row of a number of shards."""
    shards, size = np.array_split(rows, count), -(-len(rows) // count)
    slowest, merges, same = [], [], True
    for query, expected in zip(queries, whole, strict=True):
        times, found, first = [], [], 0
        for shard in shards:
            start = time.perf_counter()
            found.append(search(shard, query, first))
            times.append(1000 * (time.perf_counter() - start))
            first += len(shard)
        start = time.perf_counter()
        pairs = sorted((-c, row) for some in found for c, row in zip(*some, strict=True))[:TOP]
        merges.append(1000 * (time.perf_counter() - start))
        slowest.append(max(times))
        same &= bool(np.allclose([-negated for negated, _ in pairs], expected, atol=1e-6))
    print(f"{count:6} {size:12,} {np.median(slowest):12,.0f} {np.median(merges):10.2f}  {same}",
          flush=True)  # fmt: skip


def write(base: torch.Tensor, path: Path, count: int) -> np.ndarray:
    """The rows and perturbed copies of them, of length 1, in half precision in a mapped file."""
    rows = np.memmap(path, np.float16, "w+", shape=(count, base.shape[1]))
    spread = base.std(dim=0) * (TAKE_OFFSET**2 + WINDOW_NOISE**2) ** 0.5
    generator = torch.Generator().manual_seed(0)
    for first in range(0, count, CHUNK):
        chosen = torch.arange(first, min(first + CHUNK, count)) % len(base)
        noise = torch.randn(len(chosen), base.shape[1], generator=generator)
        copies = base[chosen] + spread * noise * float(first >= len(base))
        rows[first : first + len(chosen)] = F.normalize(copies, dim=-1).half().numpy()
    return rows


def search(shard: np.ndarray, query: torch.Tensor, first: int) -> tuple[list[float], list[int]]:
    """The best cosines of a shard and their rows, counted from ``first``; in single precision."""
    values, places = [], []
    for start in range(0, len(shard), CHUNK):
        cosines = torch.from_numpy(shard[start : start + CHUNK]).float() @ query
        best = cosines.topk(min(TOP, len(cosines)))
        values.append(best.values)
        places.append(best.indices + start + first)
    best = torch.cat(values).topk(TOP)
    return best.values.tolist(), torch.cat(places)[best.indices].tolist()


if __name__ == "__main__":
    main()
