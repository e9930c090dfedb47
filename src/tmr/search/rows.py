"""Motions as rows of a library: the whole take, and its windows, with their latents."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from tmr.localization import WindowPlan
from tmr.localization.windows import SHORTEST
from tmr.motion.skeleton import FPS
from tmr.search.encoder import Encoder
from tmr.search.entry import Entry
from tmr.search.sources import Features, Motion, part_of

WINDOW_STEP = 0.5  # between two windows of a length, as a share of it
# Models are trained on at most 10 s: the latent of a longer motion is the mean of its parts'.
LONGEST_PART = 10.0
LONGEST_WHOLE = 15.0
FRAMES_CHUNK = 2**16  # of motions that are encoded together


@dataclass(frozen=True)
class Encoded:
    """Rows of some motions with their latents."""

    entries: list[Entry]
    latents: Float[Tensor, "n dim"]


def encode_motions(
    motions: Iterable[Motion], encoder: Encoder, windows: Sequence[float | int]
) -> Iterator[Encoded]:
    """The rows of motions, a chunk at a time: each take whole, and its windows."""
    waiting: list[Motion] = []
    frames = 0
    for motion in motions:
        waiting.append(motion)
        frames += len(motion.features)
        if frames >= FRAMES_CHUNK:
            yield _encode(waiting, encoder, windows)
            waiting, frames = [], 0
    if waiting:
        yield _encode(waiting, encoder, windows)


def whole_latents(features: Sequence[Features], encoder: Encoder) -> Float[Tensor, "motions dim"]:
    """The latent of each motion, of length 1 and on the CPU, however long the motion is."""
    parts = [_parts(motion) for motion in features]
    # Parts of takes that were read and checked as a whole.
    flat = [part for some in parts for part in some]
    latents = encoder.encode_motions(flat, check=False).float().cpu()
    unit = F.normalize(latents, dim=-1).split([len(some) for some in parts])
    return F.normalize(torch.stack([some.mean(dim=0) for some in unit]), dim=-1)


def _encode(motions: Sequence[Motion], encoder: Encoder, windows: Sequence[float | int]) -> Encoded:
    entries, parts, whole = [], [], []
    for motion in motions:
        part = part_of(motion.features, motion.span)
        start, end = motion.span or (0.0, len(motion.features) / FPS)
        whole.append(part)
        entries.append(Entry(motion.take, start, end))
    for motion in motions:
        for seconds in windows:
            for first, last in _spans(len(motion.features), seconds):
                parts.append(motion.features[first:last])
                entries.append(Entry(motion.take, first / FPS, last / FPS, seconds))
    latents = [whole_latents(whole, encoder)]
    if parts:
        latents.append(encoder.encode_motions(parts, check=False).float().cpu())
    return Encoded(entries, torch.cat(latents))


def _spans(frames: int, seconds: float | int) -> list[list[int]]:
    if frames < SHORTEST * FPS:
        return []
    return WindowPlan((seconds,), WINDOW_STEP, FRAMES_CHUNK).spans(frames).tolist()


def _parts(features: Features) -> list[Features]:
    """All at once, or consecutive parts of one length, about LONGEST_PART."""
    if len(features) <= LONGEST_WHOLE * FPS:
        return [features]
    return np.array_split(features, -(-len(features) // round(LONGEST_PART * FPS)))
