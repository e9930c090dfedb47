"""Speed of the Python API: `python benchmarks/api.py`.

Models of two sizes (fresh weights, MiniLM as language model) encode raw captions, features and
joints of the lengths of HumanML3D's test split (synthetic numbers), and judge as many generated
motions. One row a size, in a process of its own: motions/s from features and from joints, texts/s
through the language model and the text encoder, seconds of `tmr.evaluate_generation` from lists of
features and from latents, CPU seconds of it all, and peak memory, of which the features are `data`.
"""

import argparse
import itertools
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import tmr
from tmr.commands import cli
from tmr.data import Normalizer
from tmr.motion.features import features_to_joints
from tmr.runs.build import model_of
from tmr.runs.folder import RunDir
from tmr.runs.weights import save_weights, split_modules

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
HEADING = (
    f"{'model':<11}{'device':<8}{'threads':>7}{'pairs':>7}{'features/s':>12}{'joints/s':>10}"
    f"{'texts/s':>9}{'judge s':>9}{'latents s':>11}{'CPU s':>8}{'data MB':>9}{'peak MB':>9}"
)


def main() -> None:
    """Print the table, one process a row."""
    parser = argparse.ArgumentParser(description="Speed of the Python API.")
    parser.add_argument("--models", nargs="+", default=["tmr_small", "tmr"])
    parser.add_argument("--pairs", type=int, default=4384)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--row", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row:
        torch.set_num_threads(options.threads)
        print(row(options.models[0], options.pairs, options.device))
        return
    print(HEADING, flush=True)
    for name in options.models:
        settings = f"--row --pairs {options.pairs} --threads {options.threads}".split()
        settings += ["--device", options.device, "--models", name]
        subprocess.run([sys.executable, __file__, *settings], check=True)


def row(name: str, pairs: int, device: str) -> str:
    """Load, encode, judge, and tell the seconds."""
    texts, features = data(pairs)
    joints = [features_to_joints(motion[:80]) for motion in features[: pairs // 8]]
    with tempfile.TemporaryDirectory() as folder:
        fresh_run(RunDir(Path(folder)), name)
        model = tmr.load(folder, device)
        model.encode_texts(texts[:8])  # loads the language model
        _, from_features = seconds(lambda: model.encode_motions(features))
        _, from_joints = seconds(lambda: model.encode_motions(joints))
        text_latents, from_texts = seconds(lambda: model.encode_texts(texts))
        reference = model.encode_motions(features)
        _, judge = seconds(
            lambda: tmr.evaluate_generation(model, text_latents, features, reference)
        )
        _, latents = seconds(
            lambda: tmr.evaluate_generation(model, text_latents, reference, reference)
        )
    megabytes = sum(motion.nbytes for motion in features) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    return (
        f"{name:<11}{device:<8}{torch.get_num_threads():>7}{pairs:>7}"
        f"{pairs / from_features:>12.0f}{len(joints) / from_joints:>10.0f}"
        f"{pairs / from_texts:>9.0f}{judge:>9.1f}{latents:>11.2f}{time.process_time():>8.0f}"
        f"{megabytes:>9.0f}{peak:>9.0f}"
    )


def seconds(work: Callable[[], Any]) -> tuple[Any, float]:
    """What ``work`` returns, and how long it took."""
    began = time.perf_counter()
    result = work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return result, time.perf_counter() - began


def data(pairs: int) -> tuple[list[str], list[np.ndarray]]:
    """Captions that all differ, and features of 40 to 199 frames of people who drift about."""
    random = np.random.default_rng(0)
    verbs = [
        "walks",
        "runs",
        "jumps",
        "bows",
        "waves",
        "kicks",
        "dances",
        "turns",
        "sits",
        "crawls",
        "throws",
        "stretches",
    ]
    ways = [
        "slowly",
        "quickly",
        "twice",
        "angrily",
        "calmly",
        "sideways",
        "backwards",
        "again",
        "carefully",
        "proudly",
    ]
    sentences = itertools.product(verbs, ways, verbs, ways)
    captions = [f"a person {a} {b} and then {c} {d}" for a, b, c, d in sentences]
    lengths = random.normal(140, 55, pairs).round().clip(40, 199).astype(int)
    features = [0.1 * random.normal(size=(n, 263)).astype(np.float32) for n in lengths]
    return captions[:pairs], features


def fresh_run(run: RunDir, name: str) -> None:
    """A run folder with random weights."""
    plain = cli.compose(CONFIGS, "train", f"model={name}", "language_model=minilm")
    run.create(plain, Normalizer(torch.zeros(263), torch.ones(263)))
    model = model_of(plain)
    save_weights(run.weights(), split_modules(model.state_dict(), model.parts))


if __name__ == "__main__":
    main()
