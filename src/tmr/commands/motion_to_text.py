"""The captions of a split, or sentences of one's own, that fit a motion best."""

from collections.abc import Mapping, Sequence
from typing import Any

from tmr.api import load
from tmr.commands.inputs import texts_of
from tmr.commands.library import latent_of, library_of, split_of
from tmr.retrieval import cosine_similarity, shown_score


def motion_to_text(
    run_dir: str,
    npy: str | None,
    start: float | int | None,
    end: float | int | None,
    key: str | None,
    library: str | None,
    split: str | None,
    text: str | Sequence[str] | None,
    texts: str | None,
    top: int,
    ckpt: str,
    device: str,
    data: Mapping[str, Any] | None = None,
    **reading: Any,
) -> None:
    """Print the captions of a split, or the given sentences, that fit a motion best."""
    model = load(run_dir, device, ckpt)
    split = split_of(split, None, library)
    searched = library_of(model, None, library, data, split, None, reading)
    latent = latent_of(searched, npy, key, start, end, reading)
    if texts is None and text is None:
        found = searched.describe(latent, top)
    else:
        given = texts_of(text, texts)
        latents = searched.encoder.encode_texts(given).cpu()
        scores = shown_score(cosine_similarity(latent[None], latents))[0].tolist()
        found = sorted(zip(scores, given, strict=True), reverse=True)[:top]
    print(key or npy)
    for score, caption in found:
        print(f"  {score:.3f}  {caption}")
