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

    In the folder: ``motion.npy``, ``text.npy`` (n, dim), the same scaled to length 1 as
    ``motion_unit.npy``, ``text_unit.npy``; ``index_keyids.json`` (row to key),
    ``keyids_index.json`` (key to row) and ``captions.json`` (row to caption).
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
    target = Path(output or model.run.root / "latents" / f"{data_set.name}_{split}")
    for name, latents in (("motion", encoded.motion), ("text", encoded.text)):
        save_array(target / f"{name}.npy", latents.numpy())
        save_array(target / f"{name}_unit.npy", F.normalize(latents, dim=-1).numpy())
    write_json(target / "index_keyids.json", {str(i): key for i, key in enumerate(encoded.keys)})
    write_json(target / "keyids_index.json", {key: i for i, key in enumerate(encoded.keys)})
    write_json(target / "captions.json", encoded.captions)
    log.info("wrote %s", target)
