"""The latent of a motion by the motion encoder of a run."""

from pathlib import Path
from typing import Any

from tmr.api import load
from tmr.commands.inputs import read_features
from tmr.commands.outputs import file_name, save_latents


def encode_motion(
    run_dir: str,
    npy: str,
    start: float | int | None,
    end: float | int | None,
    output: str | None,
    ckpt: str,
    device: str,
    **reading: Any,
) -> None:
    """Write the latent (dim,) of a motion file, or of a part of it."""
    path = Path(npy)
    features = read_features(path, start, end, reading)
    model = load(run_dir, device, ckpt)
    name = file_name(path.stem, str(path.resolve()), str(start), str(end))
    latent = model.encode_motions([features], check=False)[0]
    save_latents(output or model.run.root / "latents" / "motions" / name, latent)
