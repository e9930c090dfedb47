"""Seconds to localize a sentence in a long motion and in a library, first and from the cache.

    python benchmarks/localization.py --minutes 10 --hours 3.8

CPU seconds are those of all threads: on a machine with other work, only they can be compared.

The model has the size of configs/model/tmr_small.yaml and random weights: its speed does not depend
on them. Motions are noise; a library has clips of the mean length of the Bandai-Namco ones.
"""

import argparse
import resource
import tempfile
from pathlib import Path
from time import perf_counter, process_time

import torch

from tmr.commands import cli
from tmr.localization import Scoring, WindowPlan, best_moments, encode_motions, store, window_scores
from tmr.motion.features import NUM_FEATURES
from tmr.motion.skeleton import FPS
from tmr.runs.build import model_of

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
CLIP_SECONDS = 4.5


def main() -> None:
    """Print one line for each measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="length of the long motion")
    parser.add_argument("--hours", type=float, default=3.8, help="size of the library")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    config = cli.compose(CONFIGS, "train", "model=tmr_small", "language_model=minilm")
    encoder = model_of(config).motion_encoder.eval()
    sliding = cli.compose(CONFIGS, "localize", "run_dir=none", "text=none")
    plan, scoring = WindowPlan(**sliding["windows"]), Scoring(**sliding["scoring"])
    sentence = torch.randn(encoder.latent_dim)

    def find(windows):
        return best_moments(windows, window_scores(sentence, windows), scoring, top=5)

    print(f"{options.threads} threads, torch {torch.__version__}")
    long_motion = torch.randn(round(options.minutes * 60 * FPS), NUM_FEATURES)
    start = _now()
    windows = encode_motions(plan, encoder, [("motion", long_motion)])
    find(windows)
    _line(f"{options.minutes:g} minutes, {len(windows.spans)} windows", start)

    frames = round(CLIP_SECONDS * FPS)
    clips = round(options.hours * 3600 / CLIP_SECONDS)
    start = _now()
    windows = encode_motions(
        plan, encoder, ((str(i), torch.randn(frames, NUM_FEATURES)) for i in range(clips))
    )
    find(windows)
    _line(f"{options.hours:g} hours in {clips} clips, {len(windows.spans)} windows, first", start)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "windows.safetensors"
        store.save(path, windows, "benchmark")
        start = _now()
        cached = store.load(path, "benchmark")
        assert cached is not None
        find(cached)
        _line("the same from the cache", start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{'peak memory':<60} {peak:8.2f} GiB")


def _now() -> tuple[float, float]:
    return perf_counter(), process_time()


def _line(what: str, start: tuple[float, float]) -> None:
    wall, cpu = (now - then for now, then in zip(_now(), start, strict=True))
    print(f"{what:<60} {wall:8.2f} s, {cpu:8.2f} CPU s")


if __name__ == "__main__":
    main()
