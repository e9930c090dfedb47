"""Feature files of motions: where they lie, and what is in them."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from tmr.data.amass_names import spellings
from tmr.errors import InputError
from tmr.motion.features import NUM_FEATURES
from tmr.motion.preprocessing import MIRRORED
from tmr.motion.readers.npy import load_npy


def feature_file(motions: Path, path: str) -> Path:
    """The feature file of an annotation's ``path`` below ``motions``.

    A motion of AMASS is also found by the names that other releases have for it, see
    :func:`tmr.data.amass_names.spellings`. A file that is nowhere is named as in ``path``.
    """
    file = motions / f"{path}.npy"
    if file.is_file():
        return file
    mirrored = f"{MIRRORED}/" if path.startswith(f"{MIRRORED}/") else ""
    others = (motions / f"{mirrored}{name}.npy" for name in spellings(path.removeprefix(mirrored)))
    return next((other for other in others if other.is_file()), file)


def read_features(path: Path) -> Float[np.ndarray, "frames feat"]:
    """Features of one motion file.

    Raises:
        InputError: not a NumPy file of numbers, not 263 columns, or not finite.
    """
    try:
        features = load_npy(path)
    except InputError as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    if features.dtype.kind != "f":
        raise InputError(f"{path}: found values of type {features.dtype}, expected features")
    if features.ndim != 2 or features.shape[1] != NUM_FEATURES:
        raise InputError(
            f"{path}: expected (frames, {NUM_FEATURES}) features, got {features.shape}; "
            "is this file in HumanML3D layout?"
        )
    if not np.isfinite(features).all():
        raise InputError(
            f"{path}: holds NaN or infinite values; delete it, then make it again "
            "with `python -m prepare.compute_guoh3dfeats`"
        )
    return features.astype(np.float32, copy=False)
