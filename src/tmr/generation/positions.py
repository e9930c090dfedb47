"""How far generated motion is from the real one, joint by joint: APE and AVE of TEMOS.

Source: Ghosh et al., "Synthesis of Compositional Animations from Textual Descriptions" (ICCV
2021), in the four variants of TEMOS (ECCV 2022, section 4):

- ``root``: the pelvis in space;
- ``trajectory``: the pelvis on the ground plane;
- ``pose_local``: the 21 other joints as seen from the pelvis, heading undone;
- ``pose_global``: all 22 joints in space.
"""

import numpy as np
from jaxtyping import Float

from tmr.errors import InputError
from tmr.motion.features import POSITIONS, ROOT_HEIGHT, features_to_joints

VARIANTS = ("root", "trajectory", "pose_local", "pose_global")
NAMES = tuple(f"{error}_{variant}" for error in ("ape", "ave") for variant in VARIANTS)
# The papers give both in meters; a difference of variances is in square meters.
UNITS = {name: "m" if name.startswith("ape") else "m^2" for name in NAMES}


def position_errors(
    generated: Float[np.ndarray, "_ 263"], reference: Float[np.ndarray, "_ 263"]
) -> Float[np.ndarray, " names"]:
    """APE (meters) and AVE (square meters), in the order of ``NAMES``, of unnormalized features.

    Both motions start at the origin, facing +Z.

    Raises:
        InputError: different lengths, or fewer than two frames, which have no variance.
    """
    if len(generated) != len(reference) or len(reference) < 2:
        raise InputError(
            f"found {len(generated)} generated and {len(reference)} reference frames; "
            "expected as many of both, at least two"
        )
    pairs = list(zip(views(generated), views(reference), strict=True))
    return np.array([ape(a, b) for a, b in pairs] + [ave(a, b) for a, b in pairs])


def views(features: Float[np.ndarray, "frames 263"]) -> list[Float[np.ndarray, "frames _ _"]]:
    """The positions (frames, joints, coordinates) that each of ``VARIANTS`` compares."""
    joints = features_to_joints(features)
    local = features[:, POSITIONS].astype(np.float64).reshape(len(features), -1, 3)
    local[..., 1] -= features[:, ROOT_HEIGHT]
    root = joints[:, :1]
    return [root, root[..., [0, 2]], local, joints]


def ape(
    generated: Float[np.ndarray, "frames joints axes"],
    reference: Float[np.ndarray, "frames joints axes"],
) -> float:
    """Average position error, mean_j mean_f |x_fj - y_fj|."""
    return float(np.linalg.norm(generated - reference, axis=-1).mean())


def ave(
    generated: Float[np.ndarray, "frames joints axes"],
    reference: Float[np.ndarray, "frames joints axes"],
) -> float:
    """Average variance error, mean_j |var_f x_fj - var_f y_fj|, with variances of each axis.

    var_f x = 1 / (F - 1) sum_f (x_f - mean x)^2: a motion that stands still where the real one
    moves has a large one, wherever it stands.
    """
    spread = generated.var(axis=0, ddof=1) - reference.var(axis=0, ddof=1)
    return float(np.linalg.norm(spread, axis=-1).mean())
