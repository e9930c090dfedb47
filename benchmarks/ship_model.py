"""The encoders of one run or several as they lie in models/: for search alone, in half precision.

    python -m benchmarks.ship_model models/open outputs/open_seed0 [outputs/open_seed1 ...]

Heads that only training needs are left out. Several runs of one data set become one model whose
cosines are the mean of theirs. Its data set is the embedded one, which everybody can make. Writes
config.json, stats/, last_weights/*.safetensors and SHA256SUMS; the card, README.md, is written by
hand.
"""

import argparse
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from tmr.data import Normalizer
from tmr.io import save_tensors, write_json, write_text
from tmr.runs.folder import RunDir
from tmr.runs.legacy_tmr import from_published

SEARCHED = "synthetic"
ENCODERS = ("motion_encoder", "text_encoder")


def weights(runs: Sequence[RunDir], part: str) -> dict[str, Tensor]:
    """A part of the shipped model from those of the runs."""
    states = [load_file(run.weights() / f"{part}.safetensors") for run in runs]
    if len(states) == 1:
        return states[0]
    return {
        f"members.{i}.{name}": tensor
        for i, state in enumerate(states)
        for name, tensor in from_published(part, state).items()
    }


def config_of(runs: Sequence[RunDir], target: str) -> dict[str, Any]:
    """The shipped run's config: a TMR without decoder, with the mean temperature of the runs."""
    config = runs[0].read_config()
    scales = [load_file(run.weights() / "temperature.safetensors")["log_scale"] for run in runs]
    model = {
        "_target_": "tmr.model.TMR",
        "name": Path(target).name,
        **{part: encoder(part, runs) for part in ENCODERS},
        "motion_decoder": None,
        "loss_weights": {"recons": 0, "kl": 0, "latent": 0, "contrastive": 1.0},
        "temperature": round(float((-torch.stack(scales).mean()).exp()), 4),
        "threshold_selfsim": config["model"]["threshold_selfsim"],
        "sample_latents": False,
    }
    trained_on = config["data"]["name"]
    data = {key: str(value).replace(trained_on, SEARCHED) for key, value in config["data"].items()}
    return {
        "data": data,
        "language_model": config["language_model"],
        "model": model,
        "run_dir": target,
        "trained_on": trained_on,
        "seeds": [run.read_config()["seed"] for run in runs],
    }


def encoder(part: str, runs: Sequence[RunDir]) -> Mapping[str, Any]:
    """The config of an encoder, or of several as one."""
    members = [run.read_config()["model"][part] for run in runs]
    if len(members) == 1:
        return members[0]
    return {"_target_": "tmr.model.EncoderEnsemble", "members": members}


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target")
    parser.add_argument("runs", nargs="+")
    options = parser.parse_args()
    runs, target = [RunDir(Path(run)) for run in options.runs], RunDir(Path(options.target))
    write_json(target.config, config_of(runs, options.target))
    Normalizer.load(runs[0].stats).save(target.stats)
    for part in ENCODERS:
        half = {name: tensor.half() for name, tensor in weights(runs, part).items()}
        save_tensors(target.weights() / f"{part}.safetensors", half)
    files = [path for path in sorted(target.root.rglob("*")) if path.is_file()]
    lines = [
        f"{sha256(path.read_bytes()).hexdigest()}  {path.relative_to(target.root)}\n"
        for path in files
        if path.name not in ("SHA256SUMS", "README.md")
    ]
    write_text(target.root / "SHA256SUMS", "".join(lines))


if __name__ == "__main__":
    main()
