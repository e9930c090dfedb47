"""How fast a million motions are searched: `python benchmarks/gallery.py [ITEMS] [DIM]`.

Latents are drawn like those of a trained model: clusters of very different sizes around centers
that themselves lie together, in fewer directions than there are numbers. Queries lie near items, as
sentences do. Prints one table; times are medians of single queries, one after the other.
"""

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from tmr.search.approximate import FaissIndex
from tmr.search.gallery import Gallery, Item, Searcher

QUERIES = 200
TOP = 10
CLUSTERS = 5000
NOISE = 0.6  # of an item around its cluster's center, in parts of the center's length
QUERY_NOISE = 0.4  # of a query around an item


def latents_like_a_models(count: int, dim: int, random: np.random.Generator) -> torch.Tensor:
    """(count, dim) float32, clustered, of length 1."""
    spectrum = (1 + np.arange(dim)) ** -0.5  # a few directions carry most of the variance
    common = random.normal(size=dim) * spectrum
    centers = 0.5 * common + random.normal(size=(CLUSTERS, dim)) * spectrum
    sizes = random.pareto(1.2, size=CLUSTERS) + 0.1
    members = random.choice(CLUSTERS, size=count, p=sizes / sizes.sum())
    latents = np.empty((count, dim), dtype=np.float32)
    for start in range(0, count, 50_000):  # in parts: float64 noise for all would take 2 GB
        part = members[start : start + 50_000]
        noise = random.normal(size=(len(part), dim)) * spectrum
        latents[start : start + 50_000] = centers[part] + NOISE * noise
    return torch.nn.functional.normalize(torch.from_numpy(latents), dim=-1)


def queries_near(latents: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
    """Directions around some of the items."""
    near = latents[random.choice(len(latents), size=QUERIES)]
    noise = torch.from_numpy(random.normal(size=near.shape)).float()
    noise *= near.std(dim=0) / noise.std()
    return near + QUERY_NOISE * noise


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds of each query by the clock, and of the processors: less where they are busy."""

    clock: list[float]
    processors: list[float]


def measure(searcher: Searcher, queries: torch.Tensor) -> tuple[Timing, torch.Tensor]:
    """The time of each query, and the rows it found."""
    searcher.search(queries[:1], TOP)  # the first touches the mapped file
    timing, rows = Timing([], []), []
    for query in queries:
        clock, processors = time.perf_counter(), time.process_time()
        _, found = searcher.search(query[None], TOP)
        timing.clock.append(1000 * (time.perf_counter() - clock))
        timing.processors.append(1000 * (time.process_time() - processors))
        rows.append(found[0])
    return timing, torch.stack(rows)


def megabytes(path: Path) -> int:
    """Size of a file."""
    return path.stat().st_size // 2**20


def show(name: str, timing: Timing, recall: float, size: int, made: float) -> None:
    """Print one row."""
    middle, late = np.percentile(timing.clock, [50, 95])
    print(
        f"{name:<8} {middle:>9.1f} {late:>8.1f} {np.median(timing.processors):>8.1f}"
        f" {recall:>10.3f} {size:>8} {made:>7.0f}"
    )


def main() -> None:
    """Print the table."""
    count, dim = (int(word) for word in (*sys.argv[1:], "1000000", "256")[:2])
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gallery.safetensors"
        start = time.perf_counter()
        latents = latents_like_a_models(count, dim, random)
        queries = queries_near(latents, random)
        items = [Item(f"k{n}", f"folder/{n}", ("a person walks",), 0, 5) for n in range(count)]
        print(f"{count:,} latents of {dim} drawn in {time.perf_counter() - start:.0f} s")
        start = time.perf_counter()
        Gallery.of(items, latents, "benchmark").save(path)
        made = time.perf_counter() - start
        del latents, items

        start = time.perf_counter()
        gallery = Gallery.load(path, "benchmark")
        assert gallery is not None
        print(f"opened in {1000 * (time.perf_counter() - start):.0f} ms")
        print(f"{QUERIES} queries, top {TOP}, {torch.get_num_threads()} threads\n")
        print("search   median ms   95% ms   CPU ms  recall@10  size MB  made s")
        timing, exact = measure(gallery, queries)
        show("exact", timing, 1.0, megabytes(path), made)

        start = time.perf_counter()
        FaissIndex.of(gallery, Path(folder) / "gallery.faiss")
        made = time.perf_counter() - start
        index = FaissIndex.of(gallery, Path(folder) / "gallery.faiss")
        timing, found = measure(index, queries)
        pairs = zip(found.tolist(), exact.tolist(), strict=True)
        recall = np.mean([len({*ours} & {*best}) / TOP for ours, best in pairs])
        (file,) = Path(folder).glob("*.faiss")
        show("faiss", timing, float(recall), megabytes(file), made)
        print("\nthe exact search maps its file, the index is held in memory")


if __name__ == "__main__":
    main()
