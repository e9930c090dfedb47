"""Motion from text, as files that other programs open."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from torch import Tensor

from tmr.api import load
from tmr.commands.inputs import texts_of
from tmr.commands.outputs import file_name
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


def generate(
    run_dir: str,
    text: str | Sequence[str] | None,
    texts: str | None,
    seconds: float | int,
    samples: int,
    fact: float | int,
    seed: int,
    to: str | None,
    steps: int,
    gif: bool,
    split: str,
    clips: int,
    output: str | None,
    ckpt: str,
    device: str,
) -> None:
    """Write motions for texts, or on the way between two, and print how physical they are."""
    given = texts_of(text, texts)
    if to is not None and len(given) != 1:
        raise InputError(f"to=... goes from one text to another; found {len(given)} texts")
    model = load(run_dir, device, ckpt)
    if to is None:
        found = model.generate(given, seconds, samples, fact, seed)
        outcome = [
            (one, file_name(one), motions) for one, motions in zip(given, found, strict=True)
        ]
    else:
        title = f"{given[0]} to {to}"
        name = file_name(title, given[0], to)
        outcome = [(title, name, model.interpolate(given[0], to, seconds, steps, fact, seed))]
    real = _real_report(data_of(model.config), split, clips)
    settings = {"seconds": seconds, "fact": fact, "seed": seed}
    for title, name, motions in outcome:
        folder = Path(output or model.run.root / "generated") / name.removesuffix(".npy")
        joints = [features_to_joints(motion.numpy()) for motion in motions]
        _write_motions(folder, title, motions, joints, pictures=gif)
        reports = {str(i): physical_report(clip) for i, clip in enumerate(joints, start=1)}
        print(f'"{title}"')
        print(table(reports | ({"real clips": real} if real else {})))
        report = {"units": UNITS, "motions": reports, "real_clips": real}
        write_json(folder / "report.json", {"text": title} | settings | report)
        log.info("wrote %s", folder)


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
