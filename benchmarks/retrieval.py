"""Speed of evaluation: `python benchmarks/retrieval.py`.

Motions and captions of the number and lengths of HumanML3D's test split (random numbers in place
of features and of token states) go through a model of the paper's size, and then through the
protocols with all intervals. One row a setting, each in a process of its own: seconds of each
step, motions and texts a second, CPU seconds, and peak memory, of which the data are `data` MB.
Below stands what the arithmetic alone needs: the floating-point operations of the encoders at the
speed at which this machine multiplies large matrices.
"""

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from tmr.device import fastest_precision, matmul_dtype
from tmr.model import ActorEncoder
from tmr.retrieval import PROTOCOLS, Encoded, Texts, encode_sequences, evaluate_all
from tmr.retrieval.report import Report

MOTIONS, CAPTIONS, NSIM = 4384, 12635, 100
DIM, FF_SIZE, LAYERS, FEATURES, WORDS = 256, 1024, 6, 263, 768
PAPER = ("normal", "threshold_0.95", "nsim", "guo")
HEADING = (
    f"{'protocols':<10}{'precision':<10}{'threads':>7}{'motions s':>10}{'texts s':>9}"
    f"{'figures s':>10}{'total s':>9}{'CPU s':>8}{'motions/s':>10}{'texts/s':>9}"
    f"{'data MB':>9}{'peak MB':>9}"
)


def main() -> None:
    """Print the table, one process a row."""
    parser = argparse.ArgumentParser(description="Speed of evaluation.")
    parser.add_argument("--motions", type=int, default=MOTIONS)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, torch.get_num_threads()])
    parser.add_argument("--precision", nargs="+", default=[fastest_precision("cpu")])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--row", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--all", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row:
        torch.set_num_threads(options.threads[0])
        print(row(options.motions, options.precision[0], options.device, options.all))
        return
    print(HEADING, flush=True)
    for threads in dict.fromkeys(options.threads):
        for precision in options.precision:
            for choice in ([], ["--all"]):
                settings = f"--row --motions {options.motions} --threads {threads}".split()
                settings += ["--precision", precision, "--device", options.device, *choice]
                subprocess.run([sys.executable, __file__, *settings], check=True)
    print(bound(options.motions))


def row(motions: int, precision: str, device: str, every: bool) -> str:
    """Encode, evaluate, and tell the seconds."""
    features, tokens = data(motions)
    megabytes = sum(x.nbytes for x in [*features, *tokens]) / 2**20
    tokens = tokens if every else tokens[:motions]
    encoders = [
        ActorEncoder(width, DIM, FF_SIZE, LAYERS, 4, 0.1).eval().to(device)
        for width in (FEATURES, WORDS)
    ]
    started, cpu = time.perf_counter(), time.process_time()
    with matmul_dtype(device, precision):
        motion = encode_sequences(encoders[0], features, 256, device)
        half = time.perf_counter()
        text = encode_sequences(encoders[1], tokens, 256, device)
    encoded_at = time.perf_counter()
    Report(evaluate_all(splits(motion, text).get, chosen(every))).table()
    ended = time.perf_counter()
    to_motions, to_texts = half - started, encoded_at - half
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    return (
        f"{'all six' if every else 'four':<10}{precision:<10}{torch.get_num_threads():>7}"
        f"{to_motions:>10.1f}{to_texts:>9.1f}{ended - encoded_at:>10.1f}{ended - started:>9.1f}"
        f"{time.process_time() - cpu:>8.1f}{motions / to_motions:>10.1f}"
        f"{len(tokens) / to_texts:>9.1f}{megabytes:>9.0f}{peak:>9.0f}"
    )


def chosen(every: bool) -> dict:
    """All protocols, or those of the paper."""
    return {name: p for name, p in PROTOCOLS.items() if every or name in PAPER}


def data(motions: int) -> tuple[list[Tensor], list[Tensor]]:
    """Features, and token states of every caption: first captions in front."""
    frames, words = lengths(motions)
    generator = torch.Generator().manual_seed(0)
    features = [torch.randn(n, FEATURES, generator=generator) for n in frames]
    return features, [torch.randn(n, WORDS, generator=generator) for n in words]


def lengths(motions: int) -> tuple[list[int], list[int]]:
    """Frames of the motions, 40 to 199, and words of their captions, 6 to 40."""
    random = np.random.default_rng(0)
    frames = random.normal(140, 55, motions).round().clip(40, 199).astype(int)
    words = random.integers(6, 41, round(motions * CAPTIONS / MOTIONS))
    return frames.tolist(), words.tolist()


def splits(motion: Tensor, text: Tensor) -> dict[str, Encoded]:
    """The encoded test split, and the part of it that stands for the dissimilar captions."""
    count = len(motion)
    more = len(text) - count
    owners = torch.arange(more) % count
    test = Encoded(
        keys=tuple(f"{i:06d}" for i in range(count)),
        captions=tuple(f"caption {i}" for i in range(count)),
        text=text[:count],
        motion=motion,
        sentences=torch.nn.functional.normalize(torch.randn(count, WORDS), dim=1),
        others=Texts(tuple(f"other {i}" for i in range(more)), owners, text[count:]),
    )
    return {"test": test, "nsim_test": test.select(range(min(NSIM, count)))}


def bound(motions: int) -> str:
    """Operations of the encoders, and how long they take as large matrix products.

    Timed in processor seconds of one thread, so that what else the machine does hardly counts.
    """
    frames, words = lengths(motions)
    size, threads = 1024, torch.get_num_threads()
    torch.set_num_threads(1)
    matrix = torch.randn(size, size)
    speed = 2 * size**3 / min(cpu_seconds(lambda: matrix @ matrix) for _ in range(20))
    operations = encoder_operations(FEATURES, frames) + encoder_operations(WORDS, words[:motions])
    return (
        f"motions and first captions: {operations / 1e12:.2f} T operations; float32 products of "
        f"{size} x {size} matrices run at {speed / 1e9:.0f} G a second and thread:\n"
        f"no less than {operations / speed:.0f} s with 1 thread, "
        f"{operations / speed / threads:.0f} s with {threads}"
    )


def encoder_operations(width: int, counts: list[int]) -> float:
    """Floating-point operations of one encoder; its last layer computes keys and values alone."""
    rows = np.array(counts) + 2  # with the two learned tokens
    layer = 4 * DIM * DIM + 2 * DIM * FF_SIZE
    each = width * DIM + (LAYERS - 1) * layer + 2 * DIM * DIM
    attention = (LAYERS - 1) * 2 * DIM * (rows**2).sum()
    return 2.0 * (rows.sum() * each + attention)


def cpu_seconds(call: Callable[[], object]) -> float:
    """Processor seconds that a call takes."""
    started = time.process_time()
    call()
    return time.process_time() - started


if __name__ == "__main__":
    main()
