"""The captions of a split, or sentences of one's own, that fit a motion best."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tmr.api import load
from tmr.commands.found import check_output, write
from tmr.commands.inputs import texts_of
from tmr.commands.library import latent_of, library_of, split_of
from tmr.errors import InputError
from tmr.search.captions import captions_of


def motion_to_text(
    run_dir: str,
    npy: str | None,
    start: float | int | None,
    end: float | int | None,
    key: str | None,
    folder: str | None,
    library: str | None,
    split: str | None,
    text: str | Sequence[str] | None,
    texts: str | None,
    top: int,
    output: str | None,
    ckpt: str,
    device: str,
    data: Mapping[str, Any] | None = None,
    **reading: Any,
) -> None:
    """Print the captions of a split, or the given sentences, that fit motions best."""
    check_output(output)
    if sum(given is not None for given in (npy, key, folder)) != 1:
        raise InputError(
            "give either npy=FILE, a motion file, key=KEY, one of the library, or folder=FOLDER"
        )
    given = None if text is None and texts is None else texts_of(text, texts)
    model = load(run_dir, device, ckpt)
    searched = None
    if given is None or key is not None:
        split = split_of(split, None, library)
        searched = library_of(model, None, library, data, split, None, reading)
    if folder is not None:
        takes = library_of(model, folder, None, None, None, None, reading)
        motions = dict(zip([e.key for e in takes.entries()], takes.latents(), strict=True))
    else:
        latent = latent_of(model, searched, npy, key, start, end, reading)
        motions = {str(key or npy): latent}
    if given is None:
        assert searched is not None
        captions = searched.captions
        if not captions.texts:
            raise InputError(f"{searched.name!r} has no captions: give text=... or texts=FILE")
    else:
        unique = list(dict.fromkeys(given))
        captions = captions_of(unique, model.dim, model.encode_texts, None, model.fingerprint)
    rows = []
    for name, latent in motions.items():
        print(name)
        for rank, (score, caption) in enumerate(captions.nearest(latent, top), 1):
            print(f"  {score:.3f}  {caption}")
            rows.append(
                {"motion": name, "rank": rank, "score": round(score, 4), "caption": caption}
            )
    if output is not None:
        write(rows, Path(output))
