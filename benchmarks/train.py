"""Speed of training: `python benchmarks/train.py`, and with `--device cuda` on a GPU.

Motions and captions of HumanML3D's lengths (random numbers in place of features and token states)
train TMR at the paper's size. One row a setting, each in a process of its own: `plain` is plain
torch (see plain.py) with a DataLoader with workers and padded batches in random order, `ours` is
what `train.py` does. Shown are samples a second and how many times those of `plain`; the share of
computed frames that are real (fill, attention apart); milliseconds a step waits for its batch, and
goes forward, backward and through the optimizer, medians; the processor seconds of a step and again
the ratio, which on a busy machine is the one to trust; the peak of the process's memory (on a GPU:
of torch's in it; summed over the processes); and the arithmetic that the real frames need, a second
and as a share of the speed of a large matrix product measured in the same process (`of peak`): on a
CPU by processor seconds. With `2 processes`, each has a core and half of every batch, with the
losses and gradients of the whole: `train.py trainer=ddp trainer.accelerator=cpu trainer.devices=2`.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch
import torch.distributed as dist
from plain import Padded, PlainTMR, pad
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from tmr.data import Batch
from tmr.data.device_dataset import concatenate_on_device, gather
from tmr.model import SINGLE_PROCESS, TMR, ActorDecoder, ActorEncoder, DistributedProcessGroup
from tmr.sequences import Packed, pack, starts
from tmr.training.allocator import keep_freed_memory

DIM, FF_SIZE, LAYERS, HEADS, DROPOUT = 256, 1024, 6, 4, 0.1
FEATURES, WORDS = 263, 768
LOSS_WEIGHTS = {"recons": 1.0, "kl": 1e-5, "latent": 1e-5, "contrastive": 0.1}
HEADING = (
    f"{'setting':<24}{'batch':>6}{'samples/s':>10}{'ratio':>7}{'fill':>6}{'data ms':>9}"
    f"{'forward':>9}{'backward':>9}{'optimizer':>10}{'CPU s':>8}{'ratio':>7}{'peak MB':>9}"
    f"{'TFLOP/s':>9}{'of peak':>9}"
)
PaddedBatch = tuple[Padded, Padded, Tensor]


@dataclass(frozen=True)
class Setting:
    """How to train."""

    plain: bool = False
    bf16: bool = False
    compiled: bool = False
    dropout: float = DROPOUT
    processes: int = 1


SETTINGS = {
    "plain": Setting(plain=True),
    "plain, no dropout": Setting(plain=True, dropout=0),
    "plain, bf16": Setting(plain=True, bf16=True),
    "ours": Setting(),
    "ours, no dropout": Setting(dropout=0),
    "ours, bf16": Setting(bf16=True),
    "ours, bf16, compiled": Setting(bf16=True, compiled=True),
    "ours, 2 processes": Setting(processes=2),
    "ours, bf16, 2 processes": Setting(bf16=True, processes=2),
}
USUAL = {
    "cpu": ["plain", "ours"],
    "cuda": ["plain", "plain, bf16", "ours", "ours, bf16", "ours, bf16, compiled"],
}


@dataclass(frozen=True)
class Sizes:
    """Frames and words of the samples."""

    frames: list[int]
    words: list[int]

    def share(self, rank: int, world: int) -> "Sizes":
        """Every ``world``-th sample."""
        return Sizes(self.frames[rank::world], self.words[rank::world])


def main() -> None:
    """Print the table, one process a row."""
    parser = argparse.ArgumentParser(description="Speed of training.")
    parser.add_argument("--device", default="cpu", choices=USUAL)
    parser.add_argument("--settings", nargs="+", choices=SETTINGS)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[32])
    parser.add_argument("--steps", type=int, default=6, help="timed steps a row")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--row", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    names = options.settings or USUAL[options.device]
    if options.row:
        torch.set_num_threads(options.threads)
        print(row(names[0], options.batch_sizes[0], options.steps, options.device), flush=True)
        return
    print(HEADING, flush=True)
    for batch_size in options.batch_sizes:
        first: tuple[float, float] | None = None
        for name in names:
            arguments = ["--row", "--settings", name, "--batch-sizes", batch_size]
            arguments += ["--steps", options.steps, "--device", options.device]
            arguments += ["--threads", options.threads]
            command = [sys.executable, __file__, *map(str, arguments)]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            step, cpu, line = output.strip().split("|")
            found = float(step), float(cpu)
            first = first or found
            for mark, one, other in zip(("%RATIO%", "%CPU%"), first, found, strict=True):
                line = line.replace(mark, f"{one / other:>7.2f}")
            print(line, flush=True)


def row(name: str, batch_size: int, steps: int, device: str) -> str:
    """Train some steps; samples a second and the row of the table."""
    setting = SETTINGS[name]
    sizes = sizes_of((steps + 1) * batch_size)
    if setting.processes == 1:
        parts, cpu_seconds, memory = train(setting, sizes, batch_size, device)
    else:
        parts, cpu_seconds, memory = train_together(setting, sizes, batch_size)
    step = sum(parts)
    batches = [slice(n * batch_size, (n + 1) * batch_size) for n in range(1, steps + 1)]
    counts = [(torch.tensor(sizes.frames[b]), torch.tensor(sizes.words[b])) for b in batches]
    operations = median(training_operations(*count) for count in counts)
    real = median((frames / frames.max()).mean().item() for frames, _ in counts)
    # Of one core, on a CPU: what else the machine does hardly counts then.
    rate = operations / (cpu_seconds if device == "cpu" else step)
    peak = matrix_speed(device, torch.bfloat16 if setting.bf16 else torch.float32)
    cells = "".join(
        f"{1000 * part:>{width}.1f}" for part, width in zip(parts, (9, 9, 9, 10), strict=True)
    )
    return (
        f"{step}|{cpu_seconds}|{name:<24}{batch_size:>6}{batch_size / step:>10.1f}%RATIO%"
        f"{real if setting.plain else 1:>6.0%}{cells}{cpu_seconds:>8.2f}%CPU%{memory:>9.0f}"
        f"{rate / 1e12:>9.3f}{rate / peak:>9.0%}"
    )


def train(
    setting: Setting, sizes: Sizes, batch_size: int, device: str, rank: int = 0
) -> tuple[list[float], float, float]:
    """Seconds of the parts of a step and its processor seconds (medians); megabytes at the peak.

    Of several processes, this is number ``rank``.
    """
    torch.manual_seed(0)
    if device == "cuda":
        torch.set_float32_matmul_precision("high")
    elif not setting.plain:
        keep_freed_memory()
    world = setting.processes
    model: nn.Module = network(setting).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=not setting.plain)
    if world > 1:
        # The newer name is not in torch 2.11.
        warnings.filterwarnings("ignore", ".*`broadcast_buffers` is deprecated.*")
        model = DistributedDataParallel(
            model, broadcast_buffers=False, gradient_as_bucket_view=True
        )
    seconds, used = [], []
    make = plain_batches if setting.plain else own_batches
    batches = make(sizes.share(rank, world), batch_size // world, device)
    for number in range(len(sizes.frames) // batch_size):
        clock, processor = Clock(device), time.process_time()
        batch = next(batches)
        batch = (
            batch.to(device, non_blocking=True)
            if isinstance(batch, Batch)
            else [part.to(device, non_blocking=True) for part in batch]
        )
        frames = max(sizes.frames[number * batch_size : (number + 1) * batch_size])
        group = (
            DistributedProcessGroup(rank, [batch_size // world] * world, frames)
            if world > 1
            else SINGLE_PROCESS
        )
        clock.lap()
        with precision(setting, device):
            if isinstance(batch, Batch):
                loss = model(batch, group=group).losses["loss"]
            else:
                loss = model(*batch)
        clock.lap()
        loss.backward()
        clock.lap()
        optimizer.step()
        optimizer.zero_grad()
        clock.lap()
        seconds.append(clock.laps)
        used.append(time.process_time() - processor)
    parts = [median(laps) for laps in zip(*seconds[1:], strict=True)]
    return parts, median(used[1:]), peak_memory(device)


def train_together(
    setting: Setting, sizes: Sizes, batch_size: int
) -> tuple[list[float], float, float]:
    """``train`` in several processes of one thread each; the first one has the clock."""
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(setting.processes) as pool:
        meeting = Path(folder, "meeting")
        members = [
            pool.submit(member, setting, sizes, batch_size, meeting, rank)
            for rank in range(setting.processes)
        ]
        results = [running.result() for running in members]
    return results[0][0], sum(cpu for _, cpu, _ in results), sum(peak for *_, peak in results)


def member(
    setting: Setting, sizes: Sizes, batch_size: int, meeting: Path, rank: int
) -> tuple[list[float], float, float]:
    """One of these processes."""
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{meeting}", rank=rank, world_size=setting.processes
    )
    try:
        return train(setting, sizes, batch_size, "cpu", rank)
    finally:
        dist.destroy_process_group()


def network(setting: Setting) -> nn.Module:
    """The model at the paper's size."""
    sizes = (DIM, FF_SIZE, LAYERS, HEADS, setting.dropout)
    if setting.plain:
        return PlainTMR(FEATURES, WORDS, sizes).train()
    model = TMR(
        ActorEncoder(FEATURES, *sizes),
        ActorEncoder(WORDS, *sizes),
        ActorDecoder(FEATURES, *sizes),
        LOSS_WEIGHTS,
        temperature=0.1,
        threshold_selfsim=0.8,
    )
    if setting.compiled:
        model.compile_layers()
    return model.train()


def sizes_of(count: int) -> Sizes:
    """HumanML3D's: 40 to 199 frames, normal with mean 140 and deviation 55; 6 to 40 words."""
    random = np.random.default_rng(0)
    frames = random.normal(140, 55, count).round().clip(40, 199).astype(int)
    return Sizes(frames.tolist(), random.integers(6, 41, count).tolist())


def samples(sizes: Sizes) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Random features, token states and sentence vectors."""
    pairs = zip(sizes.frames, sizes.words, strict=True)
    return [(torch.randn(n, FEATURES), torch.randn(w, WORDS), torch.randn(WORDS)) for n, w in pairs]


def collate(samples: list[tuple[Tensor, Tensor, Tensor]]) -> Batch:
    """Samples as a batch."""
    motions, texts, sentences = zip(*samples, strict=True)
    return batch_of(pack(motions), pack(texts), torch.stack(sentences))


def batch_of(motion: Packed, text: Packed, sentences: Tensor) -> Batch:
    """A batch without keys and captions."""
    nameless = ("",) * len(motion)
    return Batch(nameless, nameless, motion, text, sentences)


def collate_padded(samples: list[tuple[Tensor, Tensor, Tensor]]) -> PaddedBatch:
    """Samples as padded batches."""
    packed = collate(samples)
    return pad(packed.motion), pad(packed.text), packed.sentences


def plain_batches(sizes: Sizes, batch_size: int, device: str) -> Iterator[PaddedBatch]:
    """Batches by a DataLoader with two worker processes."""
    data = samples(sizes)
    loader = DataLoader(
        data,  # type: ignore[arg-type]  a list is a data set
        batch_size,
        shuffle=True,
        num_workers=2,
        collate_fn=collate_padded,
        pin_memory=device == "cuda",
    )
    return iter(loader)


def own_batches(sizes: Sizes, batch_size: int, device: str) -> Iterator[Batch]:
    """Batches as ``train.py`` makes them, from data in memory, or on a GPU gathered there."""
    data = samples(sizes)
    if device == "cpu":
        for start in range(0, len(data), batch_size):
            yield collate(data[start : start + batch_size])
        return
    motions, texts, sentences = zip(*data, strict=True)
    there = [concatenate_on_device(part, torch.device(device)) for part in (motions, texts)]
    vectors = torch.stack(sentences).to(device)
    counts = [sizes.frames, sizes.words]
    begins = [starts(lengths) for lengths in counts]
    for start in range(0, len(data), batch_size):
        batch = slice(start, start + batch_size)
        parts = []
        for packed, lengths, first in zip(there, counts, begins, strict=True):
            begin = torch.tensor(first[batch]).to(device, non_blocking=True)
            parts.append(gather(packed, begin, tuple(lengths[batch])))
        yield batch_of(parts[0], parts[1], vectors[batch])


def precision(setting: Setting, device: str) -> AbstractContextManager:
    """Autocast to bfloat16 where the setting wants it."""
    return torch.autocast(device, dtype=torch.bfloat16) if setting.bf16 else nullcontext()


class Clock:
    """Seconds between laps, when the device has done what it was told."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.laps: list[float] = []
        self.last = time.perf_counter()

    def lap(self) -> None:
        """End a lap."""
        if self.device == "cuda":
            torch.cuda.synchronize()
        now = time.perf_counter()
        self.laps.append(now - self.last)
        self.last = now


def training_operations(frames: Tensor, words: Tensor) -> float:
    """Floating-point operations that a step needs for real frames: forward, and twice backward.

    The last layer of an encoder computes keys and values alone, and a decoder needs no queries for
    its one memory item.
    """
    frames, words = frames.double().cpu(), words.double().cpu()
    layer = 4 * DIM * DIM + 2 * DIM * FF_SIZE
    decoder = LAYERS * (layer * frames + 2 * DIM * frames**2) + DIM * FEATURES * frames
    encoders = encoder(FEATURES, frames) + encoder(WORDS, words)
    return 3 * 2 * float((encoders + 2 * decoder).sum())


def encoder(width: int, counts: Tensor) -> Tensor:
    """Multiplications of an encoder forward, for each sequence."""
    rows = counts + 2  # with the two learned tokens
    layer = 4 * DIM * DIM + 2 * DIM * FF_SIZE
    attention = 2 * DIM * rows**2
    return width * DIM * counts + (LAYERS - 1) * (layer * rows + attention) + 2 * DIM * DIM * rows


def matrix_speed(device: str, dtype: torch.dtype) -> float:
    """Operations a second of a large matrix product (on a CPU: and core), the best of many."""
    size = 1024 if device == "cpu" else 8192
    matrix = torch.randn(size, size, device=device, dtype=dtype)
    best = min(seconds_of(lambda: matrix @ matrix, device) for _ in range(21))
    return 2 * size**3 / best


def seconds_of(call: Callable[[], object], device: str) -> float:
    """Seconds that a call takes: of the GPU, or of one core of the CPU."""
    clock, processor = Clock(device), time.process_time()
    call()
    clock.lap()
    return clock.laps[0] if device == "cuda" else time.process_time() - processor


def peak_memory(device: str) -> float:
    """Megabytes."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


if __name__ == "__main__":
    main()
