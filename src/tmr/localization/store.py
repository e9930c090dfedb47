"""Window latents of a library on disk, so that it is encoded once."""

import json
import logging
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from tmr.io import atomic_path
from tmr.localization.windows import WindowLatents

log = logging.getLogger(__name__)


def save(path: Path, windows: WindowLatents, fingerprint: str) -> None:
    """Write window latents; ``fingerprint`` stands for all that they were made from."""
    tensors = {
        "offsets": torch.from_numpy(windows.offsets),
        "spans": torch.from_numpy(windows.spans),
        "latents": windows.latents.contiguous(),
    }
    metadata = {"fingerprint": fingerprint, "names": json.dumps(windows.names)}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata)


def load(path: Path, fingerprint: str) -> WindowLatents | None:
    """The window latents in a file, None where there are none made from the same."""
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            if metadata["fingerprint"] != fingerprint:
                log.info("%s was made from other motions or weights: encoding again", path)
                return None
            offsets, spans = (np.asarray(file.get_tensor(n)) for n in ("offsets", "spans"))
            latents = file.get_tensor("latents")
    except (SafetensorError, OSError, LookupError, TypeError) as error:
        log.warning("%s is damaged (%s): encoding again", path, error)
        return None
    return WindowLatents(tuple(json.loads(metadata["names"])), offsets, spans, latents)
