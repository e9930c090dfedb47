"""The different captions of a library with their latents."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import orjson
import torch
import torch.nn.functional as F
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from tmr.io import atomic_path
from tmr.retrieval.metrics import shown_score

log = logging.getLogger(__name__)

FILE = "captions.safetensors"


@dataclass(frozen=True)
class Captions:
    """Captions and their latents of length 1."""

    texts: tuple[str, ...]
    latents: Float[Tensor, "n dim"]

    @cached_property
    def rows(self) -> dict[str, int]:
        """The row of each caption."""
        return {text: row for row, text in enumerate(self.texts)}

    def nearest(self, latent: Float[Tensor, " dim"], top: int) -> list[tuple[float, str]]:
        """The captions that fit a latent best, with scores (1 + cosine) / 2, best first."""
        cosines = self.latents @ F.normalize(latent.to(self.latents), dim=-1)
        best = cosines.topk(min(top, len(self.texts)))
        scores = shown_score(best.values).tolist()
        return [
            (score, self.texts[row])
            for score, row in zip(scores, best.indices.tolist(), strict=True)
        ]


def captions_of(
    texts: Sequence[str],
    dim: int,
    encode: Callable[[Sequence[str]], Float[Tensor, "texts dim"]],
    path: Path | None,
    fingerprint: str,
) -> Captions:
    """The captions with their latents: those saved in a file, and the others encoded and saved."""
    saved = _load(path, fingerprint) if path is not None else None
    saved = saved or Captions((), torch.empty(0, dim))
    new = [text for text in texts if text not in saved.rows]
    if not new:
        rows = [saved.rows[text] for text in texts]
        return Captions(tuple(texts), saved.latents[rows])
    latents = torch.cat([saved.latents, F.normalize(encode(new).float().cpu(), dim=-1)])
    everything = Captions((*saved.texts, *new), latents)
    captions = Captions(tuple(texts), latents[[everything.rows[text] for text in texts]])
    if path is not None:
        _save(path, captions, fingerprint)
    return captions


def _load(path: Path, fingerprint: str) -> Captions | None:
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            if metadata["fingerprint"] != fingerprint:
                return None
            return Captions(tuple(orjson.loads(metadata["texts"])), file.get_tensor("latents"))
    except (SafetensorError, OSError, LookupError, TypeError, ValueError) as error:
        log.warning("%s is damaged (%s) and will be made again", path, error)
        return None


def _save(path: Path, captions: Captions, fingerprint: str) -> None:
    metadata = {"fingerprint": fingerprint, "texts": orjson.dumps(captions.texts).decode()}
    try:
        with atomic_path(path) as temporary:
            save_file({"latents": captions.latents.contiguous()}, temporary, metadata)
    except OSError as error:  # encoding again takes seconds
        log.warning("the latents of the captions are not kept: %s", error)
