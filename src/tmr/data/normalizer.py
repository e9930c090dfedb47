"""Mean and standard deviation of motion features."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tmr import cache
from tmr.errors import InputError
from tmr.io import load_pickle, save_pickle

EPS = 1e-12
STATISTICS = "statistics.safetensors"
_PUBLISHED = ("mean", "std")
_FORMAT = cache.fingerprint("statistics", 1)


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
        """Write both, with a checksum, as ``statistics.safetensors``."""
        tensors = {"mean": self.mean, "std": self.std}
        if not cache.write(folder / STATISTICS, tensors, None, _FORMAT):
            raise InputError(f"cannot write {folder / STATISTICS}")

    def save_published(self, folder: Path) -> None:
        """Write ``mean.pt`` and ``std.pt``, which the original program reads."""
        for name in _PUBLISHED:
            save_pickle(folder / f"{name}.pt", getattr(self, name))

    @staticmethod
    def load(folder: Path, remedy: str = "run `python -m prepare.motion_stats`") -> "Normalizer":
        """Read ``statistics.safetensors``, or else the published ``mean.pt`` and ``std.pt``.

        Raises:
            InputError: neither is there, a file is damaged, or the two do not belong together; with
                the ``remedy``.
        """
        own = folder / STATISTICS
        if own.is_file():
            held = cache.read(own, _FORMAT)
            if held is None:
                raise InputError(f"{own} is damaged or holds no statistics; {remedy}")
            return Normalizer(held.tensors["mean"].clone(), held.tensors["std"].clone())
        missing = [name for name in _PUBLISHED if not (folder / f"{name}.pt").is_file()]
        if len(missing) == len(_PUBLISHED):
            raise InputError(f"no {STATISTICS} in {folder}; {remedy}")
        if missing:
            raise InputError(f"no {missing[0]}.pt in {folder}; {remedy}")
        mean, std = (_published(folder / f"{name}.pt", remedy) for name in _PUBLISHED)
        if mean.shape != std.shape:
            raise InputError(
                f"mean.pt and std.pt in {folder} have {len(mean)} and {len(std)} columns; {remedy}"
            )
        return Normalizer(mean, std)


def _published(file: Path, remedy: str) -> Float[Tensor, " feat"]:
    try:
        tensor = load_pickle(file)
    except Exception as error:  # each kind of damage has its own
        reason = str(error).partition("\n")[0]
        raise InputError(f"{file} cannot be read ({reason}); {remedy}") from None
    if not isinstance(tensor, Tensor) or tensor.ndim != 1 or not tensor.isfinite().all():
        raise InputError(f"{file}: expected finite numbers, one a column of features; {remedy}")
    return tensor.float()


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
