"""The encoders of a run as they lie in models/: for search alone, in half precision.

    python -m benchmarks.ship_model outputs/open models/open

What only training needs is left out. The shipped run's data set is the embedded one, which
everybody can make. Writes config.json, stats/, last_weights/*.safetensors and SHA256SUMS; the card,
README.md, is written by hand.
"""

import argparse
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from tmr.data import Normalizer
from tmr.io import save_tensors, write_json, write_text
from tmr.runs.folder import RunDir

SEARCHED = "synthetic"
ENCODERS = ("motion_encoder", "text_encoder")


def shipped(config: Mapping[str, Any], temperature: float, target: str) -> dict[str, Any]:
    """The config of the shipped run: a TMR without decoder, at the learnt temperature."""
    trained_on = config["data"]["name"]
    model = {
        "_target_": "tmr.model.TMR",
        "name": Path(target).name,
        **{part: config["model"][part] for part in ENCODERS},
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


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("target")
    options = parser.parse_args()
    run, target = RunDir(Path(options.run)), RunDir(Path(options.target))
    log_scale = load_file(run.weights() / "temperature.safetensors")["log_scale"]
    temperature = float((-log_scale).exp())
    write_json(target.config, shipped(run.read_config(), temperature, options.target))
    Normalizer.load(run.stats).save(target.stats)
    for part in ENCODERS:
        state = load_file(run.weights() / f"{part}.safetensors")
        half = {name: tensor.half() for name, tensor in state.items()}
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
