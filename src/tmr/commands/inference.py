"""Latents and scores of texts, motion files and splits, with the weights of a run folder."""

import hashlib
import logging
import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from omegaconf import DictConfig, ListConfig
from torch import Tensor

from tmr.api import Model, load
from tmr.data.annotations import Caption
from tmr.data.dataset import frames_of
from tmr.errors import InputError
from tmr.io import save_array, write_json, write_text
from tmr.motion import read
from tmr.motion.conventions import Overrides
from tmr.motion.skeleton import FPS
from tmr.retrieval import encode_dataset as encode_split
from tmr.runs.build import data_of
from tmr.text import EmbeddingCache, embeddings_folder

log = logging.getLogger(__name__)

SLUG_LENGTH = 60


def encode_text(cfg: DictConfig) -> None:
    """Write the latent (dim,) of a text, or the latents (n, dim) and the texts of a file."""
    texts = texts_of(cfg)
    model = _model(cfg)
    latents = model.encode_texts(texts)
    if cfg.texts is None and len(texts) == 1:
        _save(cfg.output or _latents(model) / "texts" / file_name(texts[0]), latents[0])
        return
    name = file_name(Path(cfg.texts).stem if cfg.texts else texts[0], *texts)
    path = _save(cfg.output or _latents(model) / "texts" / name, latents)
    write_json(path.with_suffix(".json"), texts)


def encode_motion(cfg: DictConfig) -> None:
    """Write the latent (dim,) of a motion file, or of a part of it."""
    path = Path(cfg.npy)
    features = read_features(path, *span_of(cfg), overrides_of(cfg))
    model = _model(cfg)
    name = file_name(path.stem, str(path.resolve()), str(cfg.start), str(cfg.end))
    latent = model.encode_motions([features])[0]
    _save(cfg.output or _latents(model) / "motions" / name, latent)


def text_motion_sim(cfg: DictConfig) -> None:
    """Print the score (1 + cos) / 2 of a text and a motion, or a table of several."""
    texts = texts_of(cfg)
    paths = motion_files(cfg.npy)
    motions = [read_features(path, *span_of(cfg), overrides_of(cfg)) for path in paths]
    scores = _model(cfg).similarity(texts, motions).cpu().numpy()
    names = [str(path) for path in paths]
    print(score_table(texts, names, scores))
    if cfg.output is not None:
        rows = ["\t".join(["motion", *(" ".join(t.split()) for t in texts)])]
        rows += ["\t".join([n, *map(str, s)]) for n, s in zip(names, scores.T, strict=True)]
        write_text(cfg.output, "\n".join(rows) + "\n")
        log.info("wrote %s", cfg.output)


def encode_dataset(cfg: DictConfig) -> None:
    """Write the latents of every motion of a split and of its first caption.

    In the folder: ``motion.npy``, ``text.npy`` (n, dim), the same scaled to length 1 as
    ``motion_unit.npy``, ``text_unit.npy``; ``index_keyids.json`` (row to key),
    ``keyids_index.json`` (key to row) and ``captions.json`` (row to caption).
    """
    model = _model(cfg)
    data = data_of(cfg if "data" in cfg else model.config)
    # The limits are for training: here every motion of the split counts.
    data = replace(data, min_seconds=0.0, max_seconds=math.inf)
    folder = embeddings_folder(data.annotations, model.text_model.name)
    embeddings = EmbeddingCache(folder, model.text_model)
    dataset = data.split(cfg.split, embeddings, model.normalizer)
    log.info("%s, split %s: %d motions", data.name, cfg.split, len(dataset))
    encoded = encode_split(model.network, dataset, cfg.batch_size, progress=True)
    target = Path(cfg.output or _latents(model) / f"{data.name}_{cfg.split}")
    for name, latents in (("motion", encoded.motion), ("text", encoded.text)):
        save_array(target / f"{name}.npy", latents.numpy())
        save_array(target / f"{name}_unit.npy", F.normalize(latents, dim=-1).numpy())
    write_json(target / "index_keyids.json", {str(i): key for i, key in enumerate(encoded.keys)})
    write_json(target / "keyids_index.json", {key: i for i, key in enumerate(encoded.keys)})
    write_json(target / "captions.json", encoded.captions)
    log.info("wrote %s", target)


def texts_of(cfg: DictConfig) -> list[str]:
    """The texts of a command: ``text``, one or a list, or the lines of the file ``texts``.

    Raises:
        InputError: both or neither are given, no such file, not UTF-8, or no text in it.
    """
    if (cfg.text is None) == (cfg.texts is None):
        raise InputError('give either text="..." or texts=FILE, a file with one text a line')
    if cfg.text is not None:
        return [str(t) for t in (cfg.text if isinstance(cfg.text, ListConfig) else [cfg.text])]
    try:
        lines = Path(cfg.texts).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{cfg.texts} cannot be read as a UTF-8 text file: {error}") from None
    texts = [line.strip() for line in lines if line.strip()]
    if not texts:
        raise InputError(f"{cfg.texts} has no text: expected one a line")
    return texts


def span_of(cfg: DictConfig) -> tuple[float | None, float | None]:
    """The seconds ``start`` and ``end`` of a command, None where they are left out.

    Raises:
        InputError: one of them is no number.
    """
    for name in ("start", "end"):
        if not isinstance(cfg[name], int | float | None) or not math.isfinite(cfg[name] or 0):
            raise InputError(f"{name}={cfg[name]}: expected seconds, for example {name}=1.5")
    start, end = (None if s is None else float(s) for s in (cfg.start, cfg.end))
    return start, end


def motion_files(given: str | ListConfig) -> list[Path]:
    """The motion files that ``npy`` names: a file, a folder with files, or a list of those.

    Raises:
        InputError: a folder without motion files.
    """
    files = []
    for path in map(Path, given if isinstance(given, ListConfig) else [given]):
        found = sorted(p for p in path.rglob("*") if p.suffix.lower() in read.READERS)
        if path.is_dir() and not found:
            raise InputError(f"no {', '.join(sorted(read.READERS))} file below {path}")
        files += found if path.is_dir() else [path]
    return files


def overrides_of(cfg: DictConfig) -> Overrides:
    """What a command's options of ``configs/inference/motion_file.yaml`` give about its files.

    Raises:
        InputError: one of them cannot be used.
    """
    return Overrides(cfg.profile, cfg.fps, cfg.unit, cfg.up, cfg.handedness, cfg.body_models)


def read_features(
    path: Path,
    start: float | None = None,
    end: float | None = None,
    overrides: Overrides | None = None,
) -> Float[Tensor, "frames 263"]:
    """Unnormalized features of a motion file, or of its seconds [start, end).

    A ``.npy`` file of features (T, 263), or any motion file that `tmr.motion.read` knows.

    Raises:
        InputError: no such file, one that cannot be used, or seconds outside of it.
    """
    if not path.is_file():
        raise InputError(f"no motion file {path}; give npy=FILE, one of {', '.join(read.READERS)}")
    features = torch.from_numpy(read.read_features(path, overrides or Overrides()))
    seconds = len(features) / FPS
    start, end = start or 0.0, seconds if end is None else end
    first, last = frames_of(Caption("", start, end), len(features))
    if not 0 <= first < last:
        raise InputError(
            f"{path} lasts {seconds:g} s; there is nothing from start={start:g} to end={end:g}"
        )
    return features[first:last]


def score_table(
    texts: Sequence[str], motions: Sequence[str], scores: Float[np.ndarray, "texts motions"]
) -> str:
    """Scores as people read them: a line a motion, a column a text, the texts above."""
    width = max(map(len, motions))
    lines = [f'{f"[{i}]":<{width}} "{text}"' for i, text in enumerate(texts, 1)]
    lines.append(" " * width + "".join(f"{f'[{i}]':>8}" for i in range(1, len(texts) + 1)))
    for name, row in zip(motions, scores.T, strict=True):
        lines.append(f"{name:<{width}}" + "".join(f"{score:>8.3f}" for score in row))
    return "\n".join(lines)


def file_name(text: str, *more: str) -> str:
    """A legal name of a ``.npy`` file for any text: what can be read of it, and a short hash.

    The hash tells texts with the same letters apart; it covers ``more`` too.
    """
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", letters)[:SLUG_LENGTH].strip("-")
    digest = hashlib.sha256("\0".join([text, *more]).encode("utf-8", "surrogatepass"))
    return f"{slug}-{digest.hexdigest()[:8]}.npy".lstrip("-")


def _model(cfg: DictConfig) -> Model:
    return load(cfg.run_dir, cfg.device, cfg.ckpt)


def _latents(model: Model) -> Path:
    return model.run.root / "latents"


def _save(path: str | Path, latents: Tensor) -> Path:
    path = Path(path)
    path = path if path.suffix == ".npy" else path.with_name(f"{path.name}.npy")
    save_array(path, latents.cpu().numpy())
    log.info("wrote %s, an array of shape %s", path, tuple(latents.shape))
    return path
