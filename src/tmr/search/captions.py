"""The different captions of a library with their latents."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from tmr import cache
from tmr.retrieval.metrics import shown_score

FILE = "captions.safetensors"
VERSION = 1  # of the file


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
    made_from = cache.fingerprint("captions", VERSION, model=fingerprint)
    held = cache.read(path, made_from) if path is not None else None
    saved = Captions((), torch.empty(0, dim))
    if held is not None:
        saved = Captions(tuple(held.record), held.tensors["latents"])
    new = [text for text in texts if text not in saved.rows]
    latents = saved.latents
    if new:
        latents = torch.cat([latents, F.normalize(encode(new).float().cpu(), dim=-1)])
    rows = Captions((*saved.texts, *new), latents).rows
    captions = Captions(tuple(texts), latents[[rows[text] for text in texts]])
    if new and path is not None:
        cache.write(path, {"latents": captions.latents}, list(captions.texts), made_from)
    return captions
