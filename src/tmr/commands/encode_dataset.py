"""Latents of every motion of a split and of its first caption."""

import logging
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch.nn.functional as F

from tmr.api import load
from tmr.io import save_array, write_json
from tmr.retrieval import encode_dataset as encode_split
from tmr.runs.build import data_of
from tmr.text import EmbeddingCache, embeddings_folder

log = logging.getLogger(__name__)


def encode_dataset(
    run_dir: str,
    split: str,
    output: str | None,
    batch_size: int,
    ckpt: str,
    device: str,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Write the latents of every motion of a split and of its first caption.

    In the folder, with NAME for ``DATA_SPLIT``: ``NAME.npy``, ``NAME_text.npy`` (n, dim), the same
    scaled to length 1 as ``NAME_unit.npy``, ``NAME_text_unit.npy``; ``NAME_index_keyids.json`` (row
    to key), ``NAME_keyids_index.json`` (key to row) and ``NAME_captions.json`` (row to caption).
    """
    model = load(run_dir, device, ckpt)
    data_set = data_of(model.config if data is None else {"data": data})
    # The limits are for training: here every motion of the split counts.
    data_set = replace(data_set, min_seconds=0.0, max_seconds=math.inf)
    folder = embeddings_folder(data_set.annotations, model.text_model.name)
    embeddings = EmbeddingCache(folder, model.text_model)
    dataset = data_set.split(split, embeddings, model.normalizer)
    log.info("%s, split %s: %d motions", data_set.name, split, len(dataset))
    encoded = encode_split(model.network, dataset, batch_size, progress=True)
    folder, name = Path(output or model.run.root / "latents"), f"{data_set.name}_{split}"
    for kind, latents in (("", encoded.motion), ("_text", encoded.text)):
        save_array(folder / f"{name}{kind}.npy", latents.numpy())
        save_array(folder / f"{name}{kind}_unit.npy", F.normalize(latents, dim=-1).numpy())
    rows = {str(i): key for i, key in enumerate(encoded.keys)}
    write_json(folder / f"{name}_index_keyids.json", rows)
    write_json(folder / f"{name}_keyids_index.json", {key: i for i, key in enumerate(encoded.keys)})
    write_json(folder / f"{name}_captions.json", encoded.captions)
    log.info("wrote %s", folder / f"{name}*")
