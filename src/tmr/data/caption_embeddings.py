"""Embed every caption of a data set."""

import logging
from pathlib import Path
from time import perf_counter

from tmr.data.annotations import read_annotations
from tmr.errors import InputError
from tmr.text import EmbeddingCache, TextModel, embeddings_folder

log = logging.getLogger(__name__)


def embed_captions(annotations: Path, model: TextModel, progress: bool = False) -> EmbeddingCache:
    """The finished cache of all captions of a data set, beside its ``annotations`` folder's files.

    Raises:
        InputError: no annotations, an empty caption, a cache made with other models, or a language
            model that cannot be loaded.
    """
    captions = unique_captions(annotations)
    cache = EmbeddingCache(embeddings_folder(annotations, model.name), model)
    began = perf_counter()
    made = cache.build(captions, progress)
    log.info("%d of %d captions embedded in %.1f s", made, len(captions), perf_counter() - began)
    log.info("%d captions in %s", len(cache), cache.folder)
    return cache


def unique_captions(annotations: Path) -> list[str]:
    """The distinct captions of a data set, sorted.

    Raises:
        InputError: no annotations, or a caption is empty; its key is named.
    """
    found = set()
    for key, annotation in read_annotations(annotations).items():
        for caption in annotation.captions:
            if not caption.text.strip():
                raise InputError(
                    f"annotations of {annotations}, key {key!r}: a caption is empty; "
                    "give it a text or take it out"
                )
            found.add(caption.text)
    return sorted(found)
