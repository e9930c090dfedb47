"""What commands write: latents, under names that any text and any file can give."""

import hashlib
import logging
import re
import unicodedata
from pathlib import Path

from torch import Tensor

from tmr.io import save_array

log = logging.getLogger(__name__)

SLUG_LENGTH = 60


def file_name(text: str, *more: str) -> str:
    """A legal name of a ``.npy`` file for any text: what can be read of it, and a short hash.

    The hash tells texts with the same letters apart; it covers ``more`` too.
    """
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", letters)[:SLUG_LENGTH].strip("-")
    digest = hashlib.sha256("\0".join([text, *more]).encode("utf-8", "surrogatepass"))
    return f"{slug}-{digest.hexdigest()[:8]}.npy".lstrip("-")


def save_latents(path: str | Path, latents: Tensor) -> Path:
    """Write latents as a ``.npy`` file, log it, and return its path."""
    path = Path(path)
    path = path if path.suffix == ".npy" else path.with_name(f"{path.name}.npy")
    save_array(path, latents.cpu().numpy())
    log.info("wrote %s, an array of shape %s", path, tuple(latents.shape))
    return path
