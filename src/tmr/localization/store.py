"""Window latents of a library on disk, so that it is encoded once."""

from pathlib import Path

import torch

from tmr import cache
from tmr.localization.windows import WindowLatents


def save(path: Path, windows: WindowLatents, fingerprint: str) -> bool:
    """Write window latents made from what ``fingerprint`` stands for; False where that fails."""
    tensors = {
        "offsets": torch.from_numpy(windows.offsets),
        "spans": torch.from_numpy(windows.spans),
        "latents": windows.latents,
    }
    return cache.write(path, tensors, windows.names, fingerprint)


def load(path: Path, fingerprint: str) -> WindowLatents | None:
    """The window latents in a file, None where there are none made from the same."""
    held = cache.read(path, fingerprint)
    if held is None:
        return None
    offsets, spans = (held.tensors[name].numpy() for name in ("offsets", "spans"))
    return WindowLatents(tuple(held.record), offsets, spans, held.tensors["latents"])
