"""Mean and standard deviation of motion features."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tmr.errors import InputError
from tmr.io import save_pickle

EPS = 1e-12


@dataclass(frozen=True, slots=True)
class Normalizer:
    """Maps features to zero mean and unit standard deviation, and back."""

    mean: Float[Tensor, " feat"]
    std: Float[Tensor, " feat"]

    def __call__(self, features: Float[Tensor, "*any feat"]) -> Float[Tensor, "*any feat"]:
        """(features - mean) / (std + 1e-12)."""
        return (features - self.mean) / (self.std + EPS)

    def inverse(self, features: Float[Tensor, "*any feat"]) -> Float[Tensor, "*any feat"]:
        """Features in their own units again."""
        return features * (self.std + EPS) + self.mean

    def save(self, folder: Path) -> None:
        """Write ``mean.pt`` and ``std.pt``."""
        for name in ("mean", "std"):
            save_pickle(folder / f"{name}.pt", getattr(self, name))

    @staticmethod
    def load(folder: Path, remedy: str = "run `python -m prepare.motion_stats`") -> "Normalizer":
        """Read ``mean.pt`` and ``std.pt``; InputError with the ``remedy`` when they are missing."""
        missing = [name for name in ("mean", "std") if not (folder / f"{name}.pt").is_file()]
        if missing:
            raise InputError(f"no {' and '.join(missing)}.pt in {folder}; {remedy}")
        tensors = [
            torch.load(folder / f"{name}.pt", map_location="cpu", weights_only=True).float()
            for name in ("mean", "std")
        ]
        return Normalizer(*tensors)


def statistics(motions: Iterable[Float[np.ndarray, "_ feat"]]) -> Normalizer:
    """Mean and (unbiased) standard deviation over all frames of all motions.

    Sums are kept in float64 around the first motion's mean, so that a corpus streams through
    without loss of digits.
    """
    count, shift, total, squares = 0, None, np.zeros(()), np.zeros(())
    for motion in motions:
        frames = motion.astype(np.float64)
        if shift is None:
            shift = frames.mean(axis=0)
        count += len(frames)
        total = total + (frames - shift).sum(axis=0)
        squares = squares + ((frames - shift) ** 2).sum(axis=0)
    if shift is None or count < 2:
        raise InputError("statistics need at least two frames of motion; found none")
    variance = (squares - total**2 / count) / (count - 1)
    mean = torch.from_numpy(shift + total / count).float()
    return Normalizer(mean, torch.from_numpy(np.sqrt(variance.clip(min=0))).float())
