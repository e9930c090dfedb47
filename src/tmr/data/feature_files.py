"""Feature files of motions."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from tmr.errors import InputError
from tmr.motion.features import NUM_FEATURES


def read_features(path: Path) -> Float[np.ndarray, "frames feat"]:
    """Features of one motion file.

    Raises:
        InputError: not a NumPy file, not 263 columns, or not finite.
    """
    try:
        features = np.load(path)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path} cannot be read as a .npy file: {error}") from error
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
