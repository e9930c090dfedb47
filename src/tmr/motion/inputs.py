"""Motions as programs pass them, as unnormalized features: arrays, tensors, padded batches."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from tmr.errors import InputError
from tmr.motion.conventions import Overrides
from tmr.motion.feature_checks import (
    checked_features,
    convention_problem,
    in_room,
    joints_problem,
    lying_problem,
)
from tmr.motion.features import checked_joints, joints_to_features
from tmr.motion.skeleton import FPS

log = logging.getLogger(__name__)

Features = Float32[np.ndarray, "_ 263"]
Statistics = tuple[Any, Any]  # mean and standard deviation, (263,) each

_LOOKED_AT = 64  # motions of many show what all of them mean
_AS_IT_IS = "if they are what you want to measure all the same, give check=False"


def as_features(
    motions: object,
    lengths: Iterable[Any] | None = None,
    normalized_by: Statistics | None = None,
    overrides: Overrides | None = None,
    check: bool = True,
) -> list[Features]:
    """Unnormalized features of motions, each given as features or as joints.

    ``motions`` is an iterable of arrays or tensors, or one array with a row a motion; see
    `tmr.Model.encode_motions` for the rest. A meaning that half of the motions or more contradict
    is refused; what fewer contradict is logged.

    Raises:
        InputError: no motions, one that is no array, of a wrong shape, padded or not finite, or
            ``check`` finds that they mean something else; its place in the list is named.
    """
    arrays = [_as_array(motion, place) for place, motion in enumerate(_listed(motions), 1)]
    if not arrays:
        raise InputError("expected a list of at least one motion, found none")
    if lengths is not None:
        arrays = _cut(arrays, lengths)
    if normalized_by is not None:
        if not isinstance(normalized_by, Iterable) or len(pair := list(normalized_by)) != 2:
            raise InputError("normalized_by: expected the pair (mean, standard deviation)")
        mean, std = map(_as_statistic, pair)
        arrays = [_restored(array, mean, std) for array in arrays]
    looked_at = set(range(0, len(arrays), 1 + len(arrays) // _LOOKED_AT)) if check else set()
    features: list[Features] = []
    problems: dict[int, str] = {}
    for i, array in enumerate(arrays):
        try:
            found, problem = _read(array, overrides, i in looked_at)
        except InputError as error:
            raise InputError(f"motion {i + 1} of {len(arrays)}: {error}") from None
        features.append(found)
        if problem is not None:
            problems[i] = problem
    _report(problems, len(looked_at), len(arrays))
    lying = lying_problem([features[i] for i in sorted(looked_at)])
    if lying is not None:
        raise InputError(f"{lying}; {_AS_IT_IS}")
    return features


def _listed(motions: object) -> list[object]:
    if isinstance(motions, str | Path | bytes):
        raise InputError(f"expected motions as arrays, found the text {str(motions)!r}")
    if not isinstance(motions, Iterable):
        raise InputError(f"expected a list of motions, found {type(motions).__name__}")
    return list(motions)


def _as_array(motion: Any, place: int) -> np.ndarray:
    if hasattr(motion, "detach"):  # a tensor; torch is not imported here
        motion = motion.detach().float().cpu().numpy()
    if isinstance(motion, np.ndarray) and not isinstance(motion, np.ma.MaskedArray):
        return motion
    if isinstance(motion, str | Path):
        raise InputError(
            f"motion {place} is the path {str(motion)!r}, expected an array: read it with "
            "tmr.motion.read.read_features"
        )
    raise InputError(
        f"motion {place} is a {type(motion).__name__}, expected a NumPy array or a tensor: "
        "numpy.asarray makes one of nested lists"
    )


def _cut(arrays: list[np.ndarray], lengths: Iterable[Any]) -> list[np.ndarray]:
    if not isinstance(lengths, Iterable):
        raise InputError(f"lengths={lengths!r}: expected a number of frames for each motion")
    numbers = [int(length) for length in lengths]
    if len(numbers) != len(arrays):
        raise InputError(f"found {len(numbers)} lengths for {len(arrays)} motions")
    for place, (array, length) in enumerate(zip(arrays, numbers, strict=True), 1):
        if array.ndim == 0 or not 1 <= length <= len(array):
            raise InputError(
                f"motion {place} has {len(array) if array.ndim else 0} frames and a length of "
                f"{length}; expected 1 to its number of frames"
            )
    return [array[:length] for array, length in zip(arrays, numbers, strict=True)]


def _as_statistic(values: Any) -> Float[np.ndarray, " feat"]:
    values = values.detach().cpu().numpy() if hasattr(values, "detach") else np.asarray(values)
    if values.shape != (263,) or not np.isfinite(values).all():
        raise InputError(
            f"normalized_by holds an array of shape {values.shape}, expected the mean and the "
            "standard deviation of the 263 features"
        )
    return values


def _restored(
    array: np.ndarray, mean: Float[np.ndarray, " feat"], std: Float[np.ndarray, " feat"]
) -> np.ndarray:
    if array.ndim != 2:
        raise InputError(
            f"normalized_by is for features; found an array of shape {array.shape}, which has none"
        )
    return checked_features(array) * std + mean


def _read(
    array: np.ndarray, overrides: Overrides | None, check: bool
) -> tuple[Features, str | None]:
    """Features of one motion, and what contradicts their meaning."""
    if array.ndim != 3:
        if overrides is not None:
            raise InputError(
                "fps, unit, up and handedness say how to read joints; features are always at "
                f"{FPS} frames a second, Y up: give joints (frames, 22, 3) instead"
            )
        # A copy: torch takes neither read-only arrays nor reversed ones.
        features = np.array(checked_features(array), order="C")
        return features, convention_problem(features) if check else None
    joints = checked_joints(array)
    problem = joints_problem(joints, overrides) if check else None
    if overrides is not None:  # without a doubt, or not at all
        if problem is not None:
            raise InputError(problem)
        joints = in_room(joints, overrides)
    return joints_to_features(joints), problem


def _report(problems: dict[int, str], looked_at: int, total: int) -> None:
    if not problems:
        return
    first = min(problems)
    said = f"motion {first + 1} of {total}: {problems[first]}"
    if 2 * len(problems) >= looked_at:
        raise InputError(f"{said}; {_AS_IT_IS}")
    log.warning("%s (and as odd: %d of %d looked at)", said, len(problems) - 1, looked_at)
