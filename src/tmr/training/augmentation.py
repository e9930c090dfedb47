"""Random changes to the features of training motions, made where every batch passes.

A batch is changed on the training device, just before the model sees it, so that motions in
memory, motions on a GPU and those of several processes go one way. Random numbers come from
torch's generators, which the training module seeds by epoch and step: a resumed run draws the same.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from tmr.data import Normalizer
from tmr.motion.features import (
    CONTACTS,
    POSITIONS,
    ROOT_HEIGHT,
    ROOT_VELOCITY,
    ROTATIONS,
    TURN_RATE,
    VELOCITIES,
)
from tmr.sequences import Packed, sequence_and_position, starts

RATES = (TURN_RATE, ROOT_VELOCITY, VELOCITIES)  # per frame, so proportional to speed
POSTURE = (ROOT_HEIGHT, POSITIONS, ROTATIONS)
MIN_FRAMES = 8  # a crop or a fast performance is not shorter


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How much motions are changed; all zeros (and ``crop`` 1) change nothing.

    A motion is performed exp(U(-``speed``, ``speed``)) times as fast; with probability
    ``crop_probability`` only a random part of U(``crop``, 1) of it is kept. Normalized features are
    multiplied by 1 + U(-``gain``, ``gain``) a motion; height, positions and rotations are shifted
    by ``offset`` times a standard normal number a motion and feature; ``noise`` times one is added
    to each number. Root velocity, rotations, velocities, contacts and height are each set to their
    mean with probability ``drop``, the turn rate with ``drop_turn``.
    """

    speed: float = 0.0
    crop: float = 1.0
    crop_probability: float = 0.5
    gain: float = 0.0
    offset: float = 0.0
    noise: float = 0.0
    drop: float = 0.0
    drop_turn: float = 0.0

    def __call__(self, motion: Packed, normalizer: Normalizer) -> Packed:
        """Changed normalized features. Lengths are drawn on the CPU: no GPU is waited for."""
        cut = resampled(motion, normalizer, *self._times(motion.lengths))
        return Packed(self._posture(cut), cut.lengths)

    def _times(
        self, lengths: tuple[int, ...]
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"], tuple[int, ...]]:
        """First frame, speed and number of frames of what is kept of each motion."""
        count = torch.tensor(lengths, dtype=torch.float32)
        draws = torch.rand(4, len(lengths))
        speed = (self.speed * (2 * draws[0] - 1)).exp()
        part = torch.where(
            draws[1] < self.crop_probability, self.crop + (1 - self.crop) * draws[2], 1.0
        )
        least = count.clamp(max=MIN_FRAMES)
        kept = ((count * part / speed).floor()).maximum(least)
        # The last frame that is read must be there: slower where a short motion is too fast.
        speed = torch.minimum(speed, (count - 1) / (kept - 1).clamp(min=1))
        first = draws[3] * (count - 1 - speed * (kept - 1)).clamp(min=0)
        return first, speed, tuple(int(n) for n in kept)

    def _posture(self, motion: Packed) -> Float[Tensor, "rows feat"]:
        x, clips = motion.x, len(motion.lengths)
        owner, _ = sequence_and_position(motion.lengths, x.device)
        x = x * (1 + self.gain * (2 * torch.rand(clips, 1, device=x.device) - 1))[owner]
        offset = self.offset * torch.randn(clips, x.shape[1], device=x.device)
        kept = torch.ones(clips, x.shape[1], device=x.device)
        shifted = torch.zeros(x.shape[1], device=x.device)
        for columns in POSTURE:
            shifted[columns] = 1
        for columns in (ROOT_VELOCITY, ROTATIONS, VELOCITIES, CONTACTS, ROOT_HEIGHT, TURN_RATE):
            drop = self.drop_turn if columns == TURN_RATE else self.drop
            kept[:, columns] = (torch.rand(clips, 1, device=x.device) >= drop).float()
        x = x + (offset * shifted)[owner] + self.noise * torch.randn_like(x)
        return x * kept[owner]


def resampled(
    motion: Packed,
    normalizer: Normalizer,
    first: Float[Tensor, " n"],
    speed: Float[Tensor, " n"],
    lengths: tuple[int, ...],
) -> Packed:
    """Motions from frame ``first`` on, ``speed`` times as fast, ``lengths`` frames of each.

    Between frames is interpolated. What is measured per frame is multiplied by the speed: features
    are normalized, so this goes around their zero, not their mean.
    """
    device = motion.x.device
    begin = torch.tensor(starts(motion.lengths), device=device)
    last = torch.tensor(motion.lengths, device=device) - 1
    owner, place = sequence_and_position(lengths, device)
    faster = speed.to(device)[owner]
    time = first.to(device)[owner] + faster * place
    before = torch.minimum(time.floor().long(), last[owner])
    after = torch.minimum(before + 1, last[owner])
    share = (time - before).clamp(0, 1)[:, None]
    rows = begin[owner]
    x = motion.x[rows + before] * (1 - share) + motion.x[rows + after] * share
    zero = (-normalizer.mean / normalizer.std.clamp(min=1e-6)).to(device)
    for columns in RATES:
        x[:, columns] = x[:, columns] * faster[:, None] + zero[columns] * (1 - faster[:, None])
    return Packed(x, lengths)
