"""The 263 features with the roundings of the published ones, bit for bit.

`tmr.motion.guofeats` says what the features are, in float64. The published ones were computed in
float32, and the difference, 1e-6, matters in one place: columns that do not move, such as the
rotations of shoulders that a skeleton derives from its collars. There the statistics of a data set
are those of rounding noise, normalized features are that noise, and a model trained on it has
learned its distribution: exact features move its figures by up to 1.4 points of R@1. So files are
written with the same sums in the same order; each comment names a choice that the golden features
decide. Algebraic tidying of this module changes its results.

Inside, the coordinates are the first axis and the frames the last, so that every operation runs
over whole rows of memory; the frames of several clips lie one behind the other. Vectors are
(3, joints, images, frames), rotations (4, joints, images, frames), and a yaw, a rotation
(w, 0, y, 0) about the vertical, is (2, images, frames). Images are the motion and its mirror image.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Shaped
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
from tmr.motion.mirror import MIRRORED_JOINTS
from tmr.motion.skeleton import CHAINS, PARENTS, REST_DIRECTIONS

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
_REST = REST_DIRECTIONS[1:].T[..., None, None].astype(np.float32)
_BONES = LENGTHS[1:, None, None] * _REST
# Opposite vectors have no shortest rotation. A half turn about Y, or about X where the bone rests
# along Y, is one of them.
_HALF_TURNS = np.stack([0 * _REST[1], abs(_REST[1]), 1 - abs(_REST[1]), 0 * _REST[1]])
_IDENTITY = np.array([1, 0, 0, 0], dtype=np.float32)[:, None, None]
_CONJUGATE = np.array([1, -1, -1, -1], dtype=np.float32)[:, None, None, None]
_MIRRORED_TURN = np.array([1, 1, -1, -1], dtype=np.float32)[:, None, None, None]
_MIRRORED_PLACE = np.array([-1, 1, 1], dtype=np.float32)[:, None, None, None]
_ONE, _TWO = np.float32(1), np.float32(2)

# (joints, their forerunners) of each step along all chains together; all chains start with the
# rotation of the pelvis, those of the arms too.
_LEVELS = [
    ([c[k] for c in CHAINS if len(c) > k], [c[k - 1] if k > 1 else 0 for c in CHAINS if len(c) > k])
    for k in range(1, max(map(len, CHAINS)))
]


@dataclass(frozen=True, slots=True)
class _Clips:
    """Where clips lie on the axis of frames."""

    lengths: Int[np.ndarray, " clips"]

    @property
    def starts(self) -> Int[np.ndarray, " clips"]:
        return np.cumsum(self.lengths) - self.lengths

    @property
    def slices(self) -> list[slice]:
        return [slice(i, i + n) for i, n in zip(self.starts, self.lengths, strict=True)]

    def spread(self, values: Shaped[np.ndarray, "*n clips"]) -> Shaped[np.ndarray, "*n frames"]:
        """The value of each clip in all its frames."""
        return np.repeat(values, self.lengths, axis=-1)


def published_features(joints: np.ndarray) -> Float32[np.ndarray, "steps 263"]:
    """Features of a clip of T frames, (T-1, 263), as the published files have them.

    ``joints`` is (T, 22 or more, 3) in meters, Y up, at 20 frames a second. Raises InputError for
    what `tmr.motion.guofeats.checked_joints` refuses.
    """
    places, clips = _one_behind_the_other([checked_joints(joints)])
    turns = _inverse_kinematics(places, clips, smooth=False)[1]
    return _features(places, turns, clips)[0, :-1]


def published_pairs(
    motions: Sequence[Float[np.ndarray, "_ 22 3"]],
) -> list[tuple[Float32[np.ndarray, "_ 263"], Float32[np.ndarray, "_ 263"]]]:
    """For each clip of checked joints its :func:`published_features`, and the mirrored clip's.

    The mirrored rotations follow from the others without a rounding; the reference skeleton is
    not symmetric, so all that comes after them is computed twice.
    """
    places, clips = _one_behind_the_other(motions)
    turns = _inverse_kinematics(places, clips, smooth=False)[1]
    features, mirrored = _features(
        np.concatenate([places, _MIRRORED_PLACE * places[:, MIRRORED_JOINTS]], axis=2),
        np.concatenate([turns, _MIRRORED_TURN * turns[:, MIRRORED_JOINTS]], axis=2),
        clips,
    )
    return [(features[clip][:-1], mirrored[clip][:-1]) for clip in clips.slices]


def _one_behind_the_other(
    motions: Sequence[Float[np.ndarray, "_ 22 3"]],
) -> tuple[Float32[np.ndarray, "3 22 1 frames"], _Clips]:
    joints = np.concatenate(motions).astype(np.float32)
    clips = _Clips(np.array([len(motion) for motion in motions]))
    return np.ascontiguousarray(joints.transpose(2, 1, 0))[:, :, None], clips


def _features(
    places: Float32[np.ndarray, "3 22 images frames"],
    turns: Float32[np.ndarray, "4 22 images frames"],
    clips: _Clips,
) -> Float32[np.ndarray, "images frames 263"]:
    """Features from joints and the whole rotations of bones; the last row of a clip is void."""
    places = _normalized(places, turns, clips)
    local, turns = _inverse_kinematics(places, clips, smooth=True)
    steps = np.roll(places, -1, axis=-1) - places
    around = places.copy()
    around[[0, 2]] -= places[[0, 2], :1]
    heading = turns[::2, 0]
    upcoming = np.roll(heading, -1, axis=-1)
    turn = upcoming[1] * heading[0] - upcoming[0] * heading[1]

    features = np.empty((*places.shape[2:], NUM_FEATURES), dtype=np.float32)
    features[..., TURN_RATE] = np.arcsin(np.clip(turn, -1, 1))[..., None]
    features[..., ROOT_VELOCITY] = np.moveaxis(_turned(upcoming, steps[:, 0])[[0, 2]], 0, -1)
    features[..., ROOT_HEIGHT] = places[1, 0, ..., None]
    features[..., POSITIONS] = _flat(_turned(heading, around[:, 1:]))
    features[..., ROTATIONS] = _flat(_to_6d(local[:, 1:]))
    features[..., VELOCITIES] = _flat(_turned(heading, steps))
    features[..., CONTACTS] = np.moveaxis(_still(steps[:, CONTACT_JOINTS]), 0, -1)
    return features


def _normalized(
    places: Float32[np.ndarray, "3 22 images frames"],
    turns: Float32[np.ndarray, "4 22 images frames"],
    clips: _Clips,
) -> Float32[np.ndarray, "3 22 images frames"]:
    """The clips on the reference skeleton, on the floor, starting at the origin and facing +Z."""
    hip, knee, ankle = (places[:, j][..., clips.starts] for j in (2, 5, 8))
    scale = (LENGTHS[5] + LENGTHS[8]) / (_norm(knee - hip) + _norm(ankle - knee))
    # Bones are float32, their sums along the skeleton float64.
    placed = np.empty(places.shape)
    placed[:, 0] = places[:, 0] * clips.spread(scale)
    bones = _rotated(turns[:, 1:], _BONES)
    for j, parent in enumerate(PARENTS[1:], start=1):
        placed[:, j] = bones[:, j - 1] + placed[:, parent]
    lowest = np.minimum.reduceat(placed[1].min(axis=0), clips.starts, axis=-1)
    placed[1] -= clips.spread(lowest)
    first = placed[..., clips.starts]
    placed[[0, 2]] -= clips.spread(first[[0, 2], :1])
    first[[0, 2]] -= first[[0, 2], :1]
    turn = _heading((first[:, 2] - first[:, 1]) + (first[:, 17] - first[:, 16]))
    return _turned(clips.spread(turn), placed.astype(np.float32))


def _inverse_kinematics(
    places: Float32[np.ndarray, "3 22 images frames"], clips: _Clips, smooth: bool
) -> tuple[Float32[np.ndarray, "4 22 images frames"], Float32[np.ndarray, "4 22 images frames"]]:
    """Rotations of all bones, as seen from their forerunner and as seen from the world."""
    local = np.zeros((4, *places.shape[1:]), dtype=np.float32)
    across = (places[:, 1] - places[:, 2]) + (places[:, 17] - places[:, 16])
    local[::2, 0] = _heading(across, clips if smooth else None)
    local[:, 0][..., clips.starts] = _IDENTITY
    bones = places[:, 1:] - places[:, PARENTS[1:]]
    total = _from_rest(bones / _norm(bones))
    whole = local.copy()
    for joints, forerunners in _LEVELS:
        before = whole[:, forerunners]
        local[:, joints] = _multiply(before * _CONJUGATE, total[:, np.array(joints) - 1])
        whole[:, joints] = _multiply(before, local[:, joints])
    return local, whole


def _heading(
    across: Float[np.ndarray, "3 images frames"], smoothed: _Clips | None = None
) -> Float32[np.ndarray, "2 images frames"]:
    """The yaw that turns the forward direction of a body, up x across, to +Z; clips smoothed."""
    # ``across`` is normalized in its own type; from the cross product on it is float64.
    length = _norm(across)
    x, _, z = across / np.where(length > 0, length, 1)
    forward = np.array([z, -x], dtype=np.float64)
    for clip in smoothed.slices if smoothed else ():
        forward[..., clip] = gaussian_filter1d(forward[..., clip], SMOOTHING_SIGMA, mode="nearest")
    length = _norm(forward)
    x, z = (forward / np.where(length > 0, length, 1)).astype(np.float32)
    z[length == 0] = 1
    yaw = np.stack([np.sqrt(x**2 + z**2) + z, -x])
    length = _norm(yaw)
    # Whoever faces -Z gets half a turn.
    half_turn = np.array([0, 1], dtype=np.float32)[:, None, None]
    return np.where(length > 0, yaw / np.where(length > 0, length, _ONE), half_turn)


def _from_rest(
    bones: Float32[np.ndarray, "3 21 images frames"],
) -> Float32[np.ndarray, "4 21 images frames"]:
    """The shortest rotations that take the rest directions to unit vectors."""
    w = np.sqrt((bones**2).sum(axis=0)) + (_REST * bones).sum(axis=0)
    turns = np.concatenate([w[None], _cross_with_axis(_REST, bones)])
    length = _norm(turns)
    return np.where(length > 0, turns / np.where(length > 0, length, _ONE), _HALF_TURNS)


def _rotated(
    turns: Float32[np.ndarray, "4 21 images frames"], bones: Float32[np.ndarray, "3 21 1 1"]
) -> Float32[np.ndarray, "3 21 images frames"]:
    """Vectors along the axes, turned."""
    w, axes = turns[0], turns[1:]
    once = _cross_with_axis(axes, bones)
    return bones + _TWO * (w * once + _cross(axes, once))


def _turned(
    yaw: Float32[np.ndarray, "2 images frames"], v: Float32[np.ndarray, "3 *n"]
) -> Float32[np.ndarray, "3 *n"]:
    """Vectors turned about the vertical: what is left of the general rotation without its zeros."""
    w, y = yaw
    x, height, z = v
    once_x, once_z = y * z, -(y * x)
    return np.stack(
        [x + _TWO * (w * once_x + y * once_z), height, z + _TWO * (w * once_z - y * once_x)]
    )


def _cross_with_axis(a: np.ndarray, b: np.ndarray) -> Float32[np.ndarray, "3 *n"]:
    # One of the two is along an axis, so nothing but the products is rounded.
    return np.stack(
        [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
    )


def _cross(
    a: Float32[np.ndarray, "3 *n"], b: Float32[np.ndarray, "3 *n"]
) -> Float32[np.ndarray, "3 *n"]:
    # The first product is fused: round(x y - round(u v)). Float64 holds x y exactly.
    u, v = a.astype(np.float64), b.astype(np.float64)
    product = np.empty_like(a)
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        product[i] = u[j] * v[k] - a[k] * b[j]
    return product


def _multiply(
    q: Float32[np.ndarray, "4 *n"], r: Float32[np.ndarray, "4 *n"]
) -> Float32[np.ndarray, "4 *n"]:
    a, b, c, d = q
    e, f, g, h = r
    return np.stack(
        [
            a * e - b * f - c * g - d * h,
            a * f + b * e - d * g + c * h,
            c * e + d * f + a * g - b * h,
            d * e - c * f + b * g + a * h,
        ]
    )


def _to_6d(q: Float32[np.ndarray, "4 *n"]) -> Float32[np.ndarray, "6 *n"]:
    r, i, j, k = q
    s = _TWO / (q * q).sum(axis=0)
    first = [1 - s * (j * j + k * k), s * (i * j + k * r), s * (i * k - j * r)]
    second = [s * (i * j - k * r), 1 - s * (i * i + k * k), s * (j * k + i * r)]
    return np.stack(first + second)


def _still(
    steps: Float32[np.ndarray, "3 4 images frames"],
) -> Bool[np.ndarray, "4 images frames"]:
    return (steps**2).sum(axis=0) < CONTACT_THRESHOLD


def _norm(v: Float[np.ndarray, "k *n"]) -> Float[np.ndarray, "*n"]:
    return np.sqrt((v**2).sum(axis=0))


def _flat(
    values: Float32[np.ndarray, "k joints images frames"],
) -> Float32[np.ndarray, "images frames joints*k"]:
    return values.transpose(2, 3, 1, 0).reshape(*values.shape[2:], -1)
