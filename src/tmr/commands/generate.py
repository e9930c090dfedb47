"""Motion from text, as files that other programs open."""

import logging
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from omegaconf import DictConfig
from torch import Tensor

from tmr.api import load
from tmr.commands.inference import file_name, texts_of
from tmr.data import TextMotionData
from tmr.data.dataset import read_features
from tmr.errors import InputError
from tmr.generation.physics import UNITS, mean_report, physical_report, table
from tmr.io import save_array, write_json
from tmr.motion.contact_sheet import contact_sheet
from tmr.motion.features import features_to_joints
from tmr.motion.skeleton import FPS
from tmr.motion.writers import write_bvh, write_gif, write_glb
from tmr.runs.build import data_of

log = logging.getLogger(__name__)


def generate(cfg: DictConfig) -> None:
    """Write motions for texts, or on the way between two, and print how physical they are."""
    texts = texts_of(cfg)
    seconds, fact = (number_of(cfg, name) for name in ("seconds", "fact"))
    samples, steps, seed, clips = (
        whole_number_of(cfg, name) for name in ("samples", "steps", "seed", "clips")
    )
    if cfg.to is not None and len(texts) != 1:
        raise InputError(f"to=... goes from one text to another; found {len(texts)} texts")
    model = load(cfg.run_dir, cfg.device, cfg.ckpt)
    if cfg.to is None:
        found = model.generate(texts, seconds, samples, fact, seed)
        outcome = [
            (text, file_name(text), motions) for text, motions in zip(texts, found, strict=True)
        ]
    else:
        title = f"{texts[0]} to {cfg.to}"
        name = file_name(title, texts[0], str(cfg.to))
        motions = model.interpolate(texts[0], str(cfg.to), seconds, steps, fact, seed)
        outcome = [(title, name, motions)]
    real = _real_report(data_of(model.config), cfg.split, clips)
    settings = {"seconds": seconds, "fact": fact, "seed": seed}
    for title, name, motions in outcome:
        folder = Path(cfg.output or model.run.root / "generated") / name.removesuffix(".npy")
        joints = [features_to_joints(motion.numpy()) for motion in motions]
        _write_motions(folder, title, motions, joints, pictures=cfg.gif)
        reports = {str(i): physical_report(clip) for i, clip in enumerate(joints, start=1)}
        print(f'"{title}"')
        print(table(reports | ({"real clips": real} if real else {})))
        report = {"units": UNITS, "motions": reports, "real_clips": real}
        write_json(folder / "report.json", {"text": title} | settings | report)
        log.info("wrote %s", folder)


def number_of(cfg: DictConfig, name: str) -> float:
    """An option that is a number.

    Raises:
        InputError: it is none.
    """
    value = cfg[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(f"{name}={value}: expected a number, for example {name}=4")
    return float(value)


def whole_number_of(cfg: DictConfig, name: str) -> int:
    """An option that is a whole number, 0 or more.

    Raises:
        InputError: it is none.
    """
    value = number_of(cfg, name)
    if value < 0 or value != int(value):
        raise InputError(f"{name}={value:g}: expected a whole number, for example {name}=3")
    return int(value)


def _write_motions(
    folder: Path,
    title: str,
    motions: Sequence[Float[Tensor, "_ 263"]],
    joints: Sequence[Float[np.ndarray, "_ 22 3"]],
    pictures: bool,
) -> None:
    for number, (motion, clip) in enumerate(zip(motions, joints, strict=True), start=1):
        save_array(folder / f"{number}.npy", motion.numpy())
        save_array(folder / f"{number}_joints.npy", clip.astype(np.float32))
        write_bvh(folder / f"{number}.bvh", clip)
        write_glb(folder / f"{number}.glb", clip, name=title)
        if pictures:
            write_gif(folder / f"{number}.gif", clip, caption=title)
    if pictures:
        captions = [f"{number}   {title}" for number in range(1, len(joints) + 1)]
        contact_sheet(folder / "sheet.png", joints, captions)


def _real_report(data: TextMotionData, split: str, clips: int) -> dict[str, float] | None:
    """Mean figures of clips from all over a split; None, with a warning, where there are none."""
    try:
        annotations = data.present(split)
    except InputError as error:
        log.warning("no real clips to compare with: %s", error)
        return None
    chosen = np.linspace(0, len(annotations) - 1, min(clips, len(annotations))).astype(int)
    motions = [read_features(data.motion_file(annotations[i].path)) for i in chosen]
    reports = [physical_report(features_to_joints(m)) for m in motions if len(m) >= FPS]
    return mean_report(reports) if reports else None
