"""Latents of texts by the text encoder of a run."""

from collections.abc import Sequence
from pathlib import Path

from tmr.api import load
from tmr.commands.inputs import texts_of
from tmr.commands.outputs import file_name, save_latents
from tmr.io import write_json


def encode_text(
    run_dir: str,
    text: str | Sequence[str] | None,
    texts: str | None,
    output: str | None,
    ckpt: str,
    device: str,
) -> None:
    """Write the latent (dim,) of a text, or the latents (n, dim) and the texts of a file."""
    given = texts_of(text, texts)
    model = load(run_dir, device, ckpt)
    latents = model.encode_texts(given)
    folder = model.run.root / "latents" / "texts"
    if texts is None and len(given) == 1:
        save_latents(output or folder / file_name(given[0]), latents[0])
        return
    name = file_name(Path(texts).stem if texts else given[0], *given)
    path = save_latents(output or folder / name, latents)
    write_json(path.with_suffix(".json"), given)
