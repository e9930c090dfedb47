"""The encoders of runs as they lie in models/: for search alone, in half precision.

    python -m benchmarks.ship_model outputs/open models/open
    python -m benchmarks.ship_model outputs/open_seed0 outputs/open_seed1 models/open

Runs that differ by their seeds become one model, whose cosines are the means of theirs. What only
training needs is left out. The shipped run's data set is the embedded one, which
everybody can make. Writes config.json, stats/, last_weights/*.safetensors and SHA256SUMS; the card,
README.md, is written by hand.
"""

import argparse
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from statistics import geometric_mean
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from tmr.data import Normalizer
from tmr.io import save_tensors, write_json, write_text
from tmr.runs.folder import RunDir
from tmr.runs.legacy_tmr import from_published, to_published

SEARCHED = "synthetic"
ENCODERS = ("motion_encoder", "text_encoder")


def shipped(
    config: Mapping[str, Any], members: int, temperature: float, target: str
) -> dict[str, Any]:
    """The config of the shipped run: a TMR without decoder, at the learnt temperature."""
    trained_on = config["data"]["name"]
    encoders = {part: config["model"][part] for part in ENCODERS}
    if members > 1:
        ensemble = {"_target_": "tmr.model.EncoderEnsemble", "members": members}
        encoders = {part: options | ensemble for part, options in encoders.items()}
    model = {
        "_target_": "tmr.model.TMR",
        "name": Path(target).name,
        **encoders,
        "motion_decoder": None,
        "loss_weights": {"recons": 0, "kl": 0, "latent": 0, "contrastive": 1.0},
        "temperature": round(temperature, 4),
        "threshold_selfsim": config["model"]["threshold_selfsim"],
        "sample_latents": False,
    }
    return {
        "data": {k: str(v).replace(trained_on, SEARCHED) for k, v in config["data"].items()},
        "language_model": config["language_model"],
        "model": model,
        "run_dir": target,
        "trained_on": trained_on,
        "seed": config["seed"],
    }


def learnt_temperature(run: RunDir) -> float:
    """The temperature of a run's contrastive loss at its end."""
    log_scale = load_file(run.weights() / "temperature.safetensors")["log_scale"]
    return float((-log_scale).exp())


def weights_of(runs: Sequence[RunDir], part: str) -> dict[str, Tensor]:
    """An encoder of a run, or those of several as an ``EncoderEnsemble``, in half precision."""
    found = {}
    for number, run in enumerate(runs):
        member = f"members.{number}." if len(runs) > 1 else ""
        state = from_published(part, load_file(run.weights() / f"{part}.safetensors"))
        found |= {f"{member}{name}": tensor.half() for name, tensor in state.items()}
    return found if len(runs) > 1 else to_published(part, found)


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+")
    parser.add_argument("target")
    options = parser.parse_args()
    runs, target = [RunDir(Path(run)) for run in options.runs], RunDir(Path(options.target))
    normalizers = [Normalizer.load(run.stats) for run in runs]
    if any(not torch.equal(other.mean, normalizers[0].mean) for other in normalizers):
        parser.error("the runs have different statistics: train them on the same data")
    temperature = geometric_mean([learnt_temperature(run) for run in runs])
    config = shipped(runs[0].read_config(), len(runs), temperature, options.target)
    write_json(target.config, config)
    normalizers[0].save(target.stats)
    for part in ENCODERS:
        save_tensors(target.weights() / f"{part}.safetensors", weights_of(runs, part))
    files = [path for path in sorted(target.root.rglob("*")) if path.is_file()]
    lines = [
        f"{sha256(path.read_bytes()).hexdigest()}  {path.relative_to(target.root)}\n"
        for path in files
        if path.name not in ("SHA256SUMS", "README.md")
    ]
    write_text(target.root / "SHA256SUMS", "".join(lines))


if __name__ == "__main__":
    main()
