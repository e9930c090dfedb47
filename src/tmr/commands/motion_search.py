"""Motions and captions that are like a motion."""

from pathlib import Path

from omegaconf import DictConfig
from torch import Tensor

from tmr.commands.inference import overrides_of, read_features, texts_of
from tmr.commands.library import library_of
from tmr.errors import InputError
from tmr.retrieval import cosine_similarity, shown_score
from tmr.search.filters import quoted
from tmr.search.library import Library


def motion_to_motion(cfg: DictConfig) -> None:
    """Print the motions of a split that are most like a motion, with score and caption."""
    library = library_of(cfg)
    latent = _latent(library, cfg)
    without = [] if cfg.key is None else [cfg.key]
    print(cfg.key or cfg.npy)
    for hit in library.search(latent, cfg.top, f"split = {quoted(cfg.split)}", exclude=without):
        print(f"  {hit.score:.3f}  {hit.entry.key:<10} {hit.entry.captions[0]}")


def motion_to_text(cfg: DictConfig) -> None:
    """Print the captions of a split, or the sentences of a file, that fit a motion best."""
    library = library_of(cfg)
    latent = _latent(library, cfg)
    if cfg.texts is None and cfg.text is None:
        found = library.describe(latent, cfg.top)
    else:
        texts = texts_of(cfg)
        latents = library.encoder.encode_texts(texts).cpu()
        scores = shown_score(cosine_similarity(latent[None], latents))[0].tolist()
        found = sorted(zip(scores, texts, strict=True), reverse=True)[: cfg.top]
    print(cfg.key or cfg.npy)
    for score, text in found:
        print(f"  {score:.3f}  {text}")


def _latent(library: Library, cfg: DictConfig) -> Tensor:
    if (cfg.npy is None) == (cfg.key is None):
        raise InputError("give either npy=FILE, a motion file, or key=KEY, one of the data set")
    if cfg.npy is not None:
        features = read_features(Path(cfg.npy), cfg.start, cfg.end, overrides_of(cfg))
        return library.encoder.encode_motions([features])[0].cpu()
    return library.latent(cfg.key)
