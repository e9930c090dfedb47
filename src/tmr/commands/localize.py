"""Where in a motion, or in a library, a sentence happens."""

import hashlib
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from hydra.utils import instantiate
from jaxtyping import Float
from omegaconf import DictConfig
from torch import Tensor
from tqdm import tqdm

from tmr import cache
from tmr.api import Model, load
from tmr.commands.inference import file_name, overrides_of, read_features
from tmr.data.dataset import read_features as read_feature_file
from tmr.errors import InputError
from tmr.io import write_json
from tmr.localization import (
    Moment,
    Scoring,
    WindowLatents,
    WindowPlan,
    best_moments,
    curve,
    encode_motions,
    store,
    window_scores,
)
from tmr.localization.picture import draw
from tmr.localization.windows import SHORTEST
from tmr.model import ActorEncoder
from tmr.motion.features import features_to_joints
from tmr.motion.skeleton import FPS
from tmr.runs.calibration import read_calibration

log = logging.getLogger(__name__)


def localize(cfg: DictConfig) -> None:
    """Print the best segments of a motion or a library, and write them as JSON, with a picture."""
    if (cfg.npy is None) == (cfg.library is None):
        raise InputError("give either npy=FILE, a motion, or library=FOLDER, a folder of features")
    plan, scoring = plan_of(cfg), scoring_of(cfg)
    source = Path(cfg.npy or cfg.library)
    features = read_features(source, overrides=overrides_of(cfg)) if cfg.npy else None
    model = load(cfg.run_dir, cfg.device, cfg.ckpt)
    sentence = model.encode_texts([cfg.text])[0]
    if features is None:
        windows = library_windows(model, source, plan)
    else:
        windows = motion_windows(model, source.stem, features, plan)
    scores = window_scores(sentence, windows)
    moments = best_moments(windows, scores, scoring, cfg.top, read_calibration(model.run))
    print(f'"{cfg.text}"')
    for moment in moments:
        print(f"  {_line(moment)}")

    name = file_name(cfg.text, str(source.resolve())).removesuffix(".npy")
    target = Path(cfg.output or model.run.root / "localization" / name)
    result = {"text": cfg.text, "source": str(source), "moments": [_record(m) for m in moments]}
    if features is not None:
        fits = curve(windows, scores, scoring)
        result |= {"seconds": len(features) / FPS, "fps": FPS, "curve": fits.round(4).tolist()}
        if cfg.picture:
            joints = features_to_joints(features.numpy())
            picture = target.with_name(f"{target.name}.png")
            draw(picture, cfg.text, joints, fits, [m.segment for m in moments])
            log.info("wrote %s", picture)
    path = target.with_name(f"{target.name}.json")
    write_json(path, result)
    log.info("wrote %s", path)


def plan_of(cfg: DictConfig) -> WindowPlan:
    """The windows of a config, from ``configs/inference/sliding.yaml``."""
    return instantiate(cfg.windows, _convert_="all")


def scoring_of(cfg: DictConfig) -> Scoring:
    """The scoring of a config, from ``configs/inference/sliding.yaml``."""
    return instantiate(cfg.scoring, _convert_="all")


def motion_windows(
    model: Model, name: str, features: Float[Tensor, "frames 263"], plan: WindowPlan
) -> WindowLatents:
    """Latents of the windows of one motion, given by its unnormalized features."""
    return encode_motions(plan, encoder_of(model), [(name, model.normalizer(features))])


def encoder_of(model: Model) -> ActorEncoder:
    """The model's motion encoder."""
    encoder = model.network.motion_encoder
    assert isinstance(encoder, ActorEncoder)  # no other class can be in a run's config
    return encoder


def library_windows(model: Model, folder: Path, plan: WindowPlan) -> WindowLatents:
    """Latents of the windows of every feature file below a folder, from the run's cache if it has
    them. Motions shorter than half a second are left out, with a warning.

    Raises:
        InputError: no feature file there, or one that cannot be used.
    """
    files = sorted(folder.rglob("*.npy"))
    if not files:
        raise InputError(f"no feature file (.npy) below {folder}; give library=FOLDER")
    place = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:8]
    path = model.run.root / "windows" / f"{folder.resolve().name}-{place}.safetensors"
    digests = cache.content_digests(
        {file.relative_to(folder).as_posix(): file for file in files},
        path.with_name(f"digests-{path.name}"),
    )
    fingerprint = _fingerprint(model, plan, digests)
    windows = store.load(path, fingerprint)
    if windows is None:
        log.info("%d motions to encode, once", len(files))
        motions = _read_library(model, folder, files)
        windows = encode_motions(plan, encoder_of(model), motions)
        if store.save(path, windows, fingerprint):
            log.info("wrote %s", path)
    return windows


def _read_library(
    model: Model, folder: Path, files: list[Path]
) -> Iterator[tuple[str, Float[Tensor, "_ 263"]]]:
    short = 0
    for file in tqdm(files, desc="encode", unit="motion", disable=None):
        features = read_feature_file(file)
        if len(features) < SHORTEST * FPS:
            short += 1
            continue
        name = file.relative_to(folder).with_suffix("").as_posix()
        yield name, model.normalizer(torch.from_numpy(features))
    if short:
        log.warning("%d motions left out: shorter than %g s", short, SHORTEST)


def _fingerprint(model: Model, plan: WindowPlan, digests: Mapping[str, str]) -> str:
    """Stands for the weights, the statistics, the windows and the content of the files."""
    return cache.fingerprint(
        "windows", 1, model=model.fingerprint, seconds=list(plan.seconds), step=plan.step,
        motions=digests,
    )  # fmt: skip


def _line(moment: Moment) -> str:
    segment = moment.segment
    sure = "" if segment.confidence is None else f"  confidence {segment.confidence:.2f}"
    return (
        f"{segment.start:7.2f} to {segment.end:7.2f} s  score {segment.score:.3f}  "
        f"fit {segment.fit:.3f}{sure}  {moment.name}"
    )


def _record(moment: Moment) -> dict[str, Any]:
    return {"name": moment.name} | asdict(moment.segment)
