"""Write the split of dissimilar captions that the nsim protocol needs."""

import logging
from pathlib import Path

import numpy as np
from jaxtyping import Float

from tmr.data import TextMotionData
from tmr.data.diverse_subset import farthest_points
from tmr.errors import InputError
from tmr.io import write_text
from tmr.text import EmbeddingCache

log = logging.getLogger(__name__)


def nsim_split(
    data: TextMotionData,
    embeddings: EmbeddingCache,
    split: str = "test",
    size: int = 100,
    output: str = "nsim_test",
    overwrite: bool = False,
) -> list[str]:
    """Keys of the dissimilar subset of a split, in the order of choice, also written to disk.

    Raises:
        InputError: no annotations, no such split, or the subset exists and no ``overwrite``.
    """
    path = Path(data.annotations) / "splits" / f"{output}.txt"
    if path.is_file() and not overwrite:
        raise InputError(f"{path} exists; add overwrite=true to replace it, or output=OTHER_NAME")
    annotations = data.annotations_of(split)
    if not annotations:
        raise InputError(f"split {split!r} of {data.name} has no captions to choose from")
    texts = [annotation.captions[0].text for annotation in annotations]
    vectors = embeddings.sentences(texts)
    chosen = farthest_points(vectors, size)
    if len(chosen) < size:
        log.warning("only %d different captions, %d asked for", len(chosen), size)
    keys = [annotations[i].key for i in chosen]
    write_text(path, "".join(f"{key}\n" for key in keys))
    log.info(
        "wrote %d of %d keys to %s: the closest two captions score %.3f, on average two score %.3f",
        len(keys),
        len(annotations),
        path,
        *closeness(vectors[chosen]),
    )
    return keys


def closeness(vectors: Float[np.ndarray, "n dim"]) -> tuple[float, float]:
    """Highest and mean score (1 + cosine) / 2 of two different unit vectors."""
    scores = (1 + vectors @ vectors.T)[np.triu_indices(len(vectors), k=1)] / 2
    return (float(scores.max()), float(scores.mean())) if len(scores) else (0.0, 0.0)
