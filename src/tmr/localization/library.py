"""Window latents of the motions in a folder, encoded once."""

import hashlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from tmr import cache
from tmr.data import Normalizer
from tmr.data.dataset import read_features
from tmr.errors import InputError
from tmr.localization import store
from tmr.localization.windows import SHORTEST, WindowLatents, WindowPlan, encode_motions
from tmr.model import Encoder
from tmr.motion.folders import find_files
from tmr.motion.skeleton import FPS

log = logging.getLogger(__name__)


def folder_windows(
    folder: Path,
    plan: WindowPlan,
    encoder: Encoder,
    normalizer: Normalizer,
    fingerprint: str,
    caches: Path,
) -> WindowLatents:
    """Latents of the windows of every feature file below a folder, from the folder ``caches`` where
    they are in it. Motions shorter than half a second are left out, with a warning.

    ``fingerprint`` stands for the weights and statistics.

    Raises:
        InputError: no feature file there, or one that cannot be used.
    """
    files = find_files(folder, [".npy"]).files
    if not files:
        raise InputError(f"no feature file (.npy) below {folder}; give library=FOLDER")
    place = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:8]
    path = caches / f"{folder.resolve().name}-{place}.safetensors"
    digests = cache.content_digests(
        {file.relative_to(folder).as_posix(): file for file in files},
        path.with_name(f"digests-{path.name}"),
    )
    made_from = cache.fingerprint(
        "windows", 1, model=fingerprint, seconds=list(plan.seconds), step=plan.step, motions=digests
    )
    windows = store.load(path, made_from)
    if windows is None:
        log.info("%d motions to encode, once", len(files))
        windows = encode_motions(plan, encoder, _motions(folder, files, normalizer))
        if store.save(path, windows, made_from):
            log.info("wrote %s", path)
    return windows


def _motions(
    folder: Path, files: list[Path], normalizer: Normalizer
) -> Iterator[tuple[str, Float[Tensor, "_ 263"]]]:
    short = 0
    for file in tqdm(files, desc="encode", unit="motion", disable=None):
        features = read_features(file)
        if len(features) < SHORTEST * FPS:
            short += 1
            continue
        name = file.relative_to(folder).with_suffix("").as_posix()
        yield name, normalizer(torch.from_numpy(features))
    if short:
        log.warning("%d motions left out: shorter than %g s", short, SHORTEST)
