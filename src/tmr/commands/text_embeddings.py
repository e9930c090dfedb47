"""Token states and a sentence vector of every caption of a data set."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tmr.data.caption_embeddings import embed_captions
from tmr.runs.build import text_model_of


def text_embeddings(
    data: Mapping[str, Any], language_model: Mapping[str, Any], device: str, progress: bool
) -> None:
    """Embed the captions that are not in the cache yet."""
    model = text_model_of({"language_model": language_model}, device)
    embed_captions(Path(data["annotations"]), model, progress)
