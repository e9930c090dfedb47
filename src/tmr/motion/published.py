"""The 263 features with the roundings of the published ones, bit for bit.

`tmr.motion.guofeats` says what the features are, in float64. The published ones were computed in
float32, and the difference, 1e-6, matters in one place: columns that do not move, such as the
rotations of shoulders that a skeleton derives from its collars. There the statistics of a data set
are those of rounding noise, normalised features are that noise, and a model trained on it has
learnt its distribution: exact features move its figures by up to 1.4 points of R@1. So files are
written with the same sums in the same order; each comment names a choice that the golden features
decide. Algebraic tidying of this module changes its results.
"""

from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64
from scipy.ndimage import gaussian_filter1d

from tmr.motion.guofeats import (
    CONTACT_JOINTS,
    CONTACT_THRESHOLD,
    CONTACTS,
    NUM_FEATURES,
    POSITIONS,
    ROOT_HEIGHT,
    ROOT_VELOCITY,
    ROTATIONS,
    TURN_RATE,
    VELOCITIES,
    checked_joints,
)
from tmr.motion.kinematics import SMOOTHING_SIGMA
from tmr.motion.skeleton import CHAINS, NUM_JOINTS, REST_DIRECTIONS

# The reference skeleton as the published features have it: it differs from frame 0 of clip 000021
# by a few units in the last place.
LENGTHS = np.array(
    [
        *(0, 0.103073969, 0.109883368, 0.131568238, 0.393623203, 0.390188217, 0.14319022),
        *(0.432433069, 0.425643355, 0.0573647358, 0.143381819, 0.149419069, 0.219360054),
        *(0.137486771, 0.143382832, 0.10303922, 0.131614044, 0.12298438, 0.256839991),
        *(0.263091743, 0.266011715, 0.269876391),
    ],
    dtype=np.float32,
)
_REST = REST_DIRECTIONS.astype(np.float32)
_CONJUGATE = np.array([1, -1, -1, -1], dtype=np.float32)
_IDENTITY = np.array([1, 0, 0, 0], dtype=np.float32)
_FORWARD = np.array([0, 0, 1], dtype=np.float32)
_UP = np.array([[0.0, 1.0, 0.0]])


def published_features(joints: np.ndarray) -> Float32[np.ndarray, "steps 263"]:
    """Features of a clip of T frames, (T-1, 263), as the published files have them.

    ``joints`` is (T, 22 or more, 3) in metres, Y up, at 20 frames a second. Raises InputError for
    what `tmr.motion.guofeats.checked_joints` refuses.
    """
    joints = _normalised(checked_joints(joints).astype(np.float32))
    local = _inverse_kinematics(joints, smooth=True)
    root, steps = local[:, 0], np.diff(joints, axis=0)
    around = joints.copy()
    around[..., [0, 2]] -= joints[:, :1, [0, 2]]
    heading = np.broadcast_to(root[:, None], (*joints.shape[:2], 4))
    turn = _multiply(root[1:], root[:-1] * _CONJUGATE)

    features = np.empty((len(steps), NUM_FEATURES), dtype=np.float32)
    features[:, TURN_RATE] = np.arcsin(np.clip(turn[:, 2:3], -1, 1))
    features[:, ROOT_VELOCITY] = _rotate(root[1:], steps[:, 0])[:, [0, 2]]
    features[:, ROOT_HEIGHT] = joints[:-1, 0, 1:2]
    features[:, POSITIONS] = _flat(_rotate(heading[:-1], around[:-1])[:, 1:])
    features[:, ROTATIONS] = _flat(_to_6d(local[:-1, 1:]))
    features[:, VELOCITIES] = _flat(_rotate(heading[:-1], steps))
    features[:, CONTACTS] = _still(steps[:, CONTACT_JOINTS])
    return features


def _normalised(joints: Float32[np.ndarray, "frames 22 3"]) -> Float32[np.ndarray, "frames 22 3"]:
    thigh, shin = joints[0, 5] - joints[0, 2], joints[0, 8] - joints[0, 5]
    scale = (LENGTHS[5] + LENGTHS[8]) / (_norm(thigh) + _norm(shin))
    # Bones are float32, their sums along the skeleton float64.
    placed = _forward_kinematics(_inverse_kinematics(joints, smooth=False), joints[:, 0] * scale)
    placed[..., 1] -= placed[..., 1].min()
    placed -= placed[0, 0] * np.array([1, 0, 1])
    first = placed[0]
    turn = _heading(((first[2] - first[1]) + (first[17] - first[16]))[None])
    whole = np.broadcast_to(turn[:, None], (*placed.shape[:2], 4))
    return _rotate(whole, placed.astype(np.float32))


def _inverse_kinematics(
    joints: Float32[np.ndarray, "frames 22 3"], smooth: bool
) -> Float32[np.ndarray, "frames 22 4"]:
    local = np.zeros((len(joints), NUM_JOINTS, 4), dtype=np.float32)
    across = (joints[:, 1] - joints[:, 2]) + (joints[:, 17] - joints[:, 16])
    local[:, 0] = _heading(across, smooth)
    local[0, 0] = _IDENTITY
    for chain in CHAINS:
        whole = local[:, 0]
        for parent, j in pairwise(chain):
            bone = joints[:, j] - joints[:, parent]
            rest = np.broadcast_to(_REST[j], bone.shape)
            total = _between(rest, bone / _norm(bone))
            local[:, j] = _multiply(whole * _CONJUGATE, total)
            whole = _multiply(whole, local[:, j])
    return local


def _forward_kinematics(
    local: Float32[np.ndarray, "frames 22 4"], root: Float32[np.ndarray, "frames 3"]
) -> Float64[np.ndarray, "frames 22 3"]:
    joints = np.zeros((len(local), NUM_JOINTS, 3))
    joints[:, 0] = root
    for chain in CHAINS:
        whole = local[:, 0]
        for parent, j in pairwise(chain):
            whole = _multiply(whole, local[:, j])
            bone = np.broadcast_to(LENGTHS[j] * _REST[j], root.shape)
            joints[:, j] = _rotate(whole, bone) + joints[:, parent]
    return joints


def _heading(
    across: Float[np.ndarray, "frames 3"], smooth: bool = False
) -> Float32[np.ndarray, "frames 4"]:
    # ``across`` is normalised in its own type; from the cross product on it is float64.
    length = _norm(across)
    forward = np.cross(_UP, across / np.where(length > 0, length, 1))
    if smooth:
        forward = gaussian_filter1d(forward, SMOOTHING_SIGMA, axis=0, mode="nearest")
    length = _norm(forward)
    forward = np.where(length > 0, forward / np.where(length > 0, length, 1), _FORWARD)
    forward = forward.astype(np.float32)
    return _between(forward, np.broadcast_to(_FORWARD, forward.shape))


def _between(
    a: Float32[np.ndarray, "n 3"], b: Float32[np.ndarray, "n 3"]
) -> Float32[np.ndarray, "n 4"]:
    w = np.sqrt((a**2).sum(-1) * (b**2).sum(-1)) + (a * b).sum(-1)
    q = np.concatenate([w[..., None], _cross(a, b)], axis=-1)
    length = _norm(q)
    # Opposite vectors have no shortest rotation; half a turn about X is one of them.
    opposite = np.array([0, 1, 0, 0], dtype=np.float32)
    return np.where(length > 0, q / np.where(length > 0, length, np.float32(1)), opposite)


def _cross(
    a: Float32[np.ndarray, "*n 3"], b: Float32[np.ndarray, "*n 3"]
) -> Float32[np.ndarray, "*n 3"]:
    # The first product is fused: round(x y - round(u v)).
    a0, a1, a2 = np.moveaxis(a, -1, 0)
    b0, b1, b2 = np.moveaxis(b, -1, 0)
    return np.stack(
        [
            _fused(a1, b2, a2, b1),
            _fused(a2, b0, a0, b2),
            _fused(a0, b1, a1, b0),
        ],
        axis=-1,
    )


def _fused(x: np.ndarray, y: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return (x.astype(np.float64) * y.astype(np.float64) - u * v).astype(np.float32)


def _multiply(
    q: Float32[np.ndarray, "n 4"], r: Float32[np.ndarray, "n 4"]
) -> Float32[np.ndarray, "n 4"]:
    a, b, c, d = np.moveaxis(q, -1, 0)
    e, f, g, h = np.moveaxis(r, -1, 0)
    return np.stack(
        [
            a * e - b * f - c * g - d * h,
            a * f + b * e - d * g + c * h,
            c * e + d * f + a * g - b * h,
            d * e - c * f + b * g + a * h,
        ],
        axis=-1,
    )


def _rotate(
    q: Float32[np.ndarray, "*n 4"], v: Float32[np.ndarray, "*n 3"]
) -> Float32[np.ndarray, "*n 3"]:
    once = _cross(q[..., 1:], v)
    return v + np.float32(2) * (q[..., :1] * once + _cross(q[..., 1:], once))


def _to_6d(q: Float32[np.ndarray, "*n 4"]) -> Float32[np.ndarray, "*n 6"]:
    r, i, j, k = np.moveaxis(q, -1, 0)
    s = np.float32(2) / (q * q).sum(-1)
    first = [1 - s * (j * j + k * k), s * (i * j + k * r), s * (i * k - j * r)]
    second = [s * (i * j - k * r), 1 - s * (i * i + k * k), s * (j * k + i * r)]
    return np.stack(first + second, axis=-1)


def _still(steps: Float32[np.ndarray, "steps 4 3"]) -> Bool[np.ndarray, "steps 4"]:
    squares = steps**2
    return (squares[..., 0] + squares[..., 1]) + squares[..., 2] < CONTACT_THRESHOLD


def _norm(v: Float[np.ndarray, "*n k"]) -> Float[np.ndarray, "*n 1"]:
    return np.sqrt((v**2).sum(-1, keepdims=True))


def _flat(values: Float32[np.ndarray, "steps joints k"]) -> Float32[np.ndarray, "steps joints*k"]:
    return values.reshape(len(values), -1)
