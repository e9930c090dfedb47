"""The 263 features of HumanML3D ("guoh3dfeats") from joint positions, and back.

Source: Guo et al., "Generating Diverse and Natural 3D Human Motions from Text", CVPR 2022. A row
describes one frame and the step to the next, so T frames of joints make T-1 rows.

Features agree with the published ones bit for bit: the same float32 operations in the same order.
It matters in columns that do not move, such as the rotations of shoulders that a skeleton derives
from its collars: there the statistics of a data set are those of rounding errors of 1e-6,
normalized features are those errors, and a model trained on them has learned their distribution.
Features in float64 move its metrics by up to 1.4 points of R@1. Each comment below names a choice
that the golden features decide; algebraic tidying of this module changes its results. The same
features in float64, written for reading, are the oracle of the tests.

Inside, the coordinates are the first axis and the frames the last, so that every operation runs
over whole rows of memory; the frames of several clips are concatenated. Positions are
(3, joints, images, frames), rotations (4, joints, images, frames), unit quaternions with the scalar
first, and a yaw, a rotation (w, 0, y, 0) about the vertical, is (2, images, frames). Images are the
motion and its mirror image.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Shaped
from scipy.ndimage import gaussian_filter1d

from tmr.errors import InputError
from tmr.motion import rotations
from tmr.motion.joint_layouts import select_joints
from tmr.motion.kinematics import bones
from tmr.motion.mirror import MIRRORED_JOINTS
from tmr.motion.skeleton import CHAINS, JOINTS, NUM_JOINTS, PARENTS, REST_DIRECTIONS, joint

NUM_FEATURES = 263

# Columns of a row of features.
TURN_RATE = slice(0, 1)  # half the turn about +Y, radians a frame
ROOT_VELOCITY = slice(1, 3)  # x and z, meters a frame, seen from the heading of the body
ROOT_HEIGHT = slice(3, 4)  # meters
POSITIONS = slice(4, 67)  # joints 1 to 21 around the point below the pelvis, heading undone
ROTATIONS = slice(67, 193)  # joints 1 to 21, two columns of the local rotation matrix
VELOCITIES = slice(193, 259)  # joints 0 to 21, meters a frame, heading undone
CONTACTS = slice(259, 263)  # left ankle and toes, right ankle and toes: 1.0 when they stand still


def _mirrored(columns: slice, first: int, signs: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Columns and signs of a block with ``len(signs)`` numbers for each joint from ``first``."""
    joints = MIRRORED_JOINTS[first:, None] - first
    own = columns.start + len(signs) * joints + np.arange(len(signs))
    return own.ravel(), np.tile(signs, len(joints))


_BLOCKS = (
    (np.arange(4), [-1, -1, 1, 1]),
    _mirrored(POSITIONS, 1, [-1, 1, 1]),
    _mirrored(ROTATIONS, 1, [1, -1, -1, -1, 1, 1]),
    _mirrored(VELOCITIES, 0, [-1, 1, 1]),
    (np.roll(np.arange(CONTACTS.start, CONTACTS.stop), 2), [1, 1, 1, 1]),
)
# A mirrored motion's features are these columns of the motion's, times these signs (but for what
# the two sides of the reference skeleton differ by, which statistics of both take out).
MIRRORED_COLUMNS = np.concatenate([columns for columns, _ in _BLOCKS])
MIRRORED_SIGNS = np.concatenate([signs for _, signs in _BLOCKS]).astype(np.float32)

CONTACT_JOINTS = [joint(name) for name in ("left_ankle", "left_foot", "right_ankle", "right_foot")]
CONTACT_THRESHOLD = 0.002  # square meters a frame
SMOOTHING_SIGMA = 20  # frames, of the heading of the body

# The reference skeleton as the published features have it: it differs from frame 0 of clip 000021
# by a few units in the last place.
_BONE_LENGTHS = np.array(
    [
        *(0, 0.103073969, 0.109883368, 0.131568238, 0.393623203, 0.390188217, 0.14319022),
        *(0.432433069, 0.425643355, 0.0573647358, 0.143381819, 0.149419069, 0.219360054),
        *(0.137486771, 0.143382832, 0.10303922, 0.131614044, 0.12298438, 0.256839991),
        *(0.263091743, 0.266011715, 0.269876391),
    ],
    dtype=np.float32,
)
_REST = REST_DIRECTIONS[1:].T[..., None, None].astype(np.float32)
_BONES = _BONE_LENGTHS[1:, None, None] * _REST
# Opposite vectors have no shortest rotation. A half turn about Y, or about X where the bone rests
# along Y, is one of them.
_HALF_TURNS = np.stack([0 * _REST[1], abs(_REST[1]), 1 - abs(_REST[1]), 0 * _REST[1]])
_IDENTITY = np.array([1, 0, 0, 0], dtype=np.float32)[:, None, None]
_CONJUGATE = np.array([1, -1, -1, -1], dtype=np.float32)[:, None, None, None]
_MIRRORED_ROTATION = np.array([1, 1, -1, -1], dtype=np.float32)[:, None, None, None]
_MIRRORED_POSITION = np.array([-1, 1, 1], dtype=np.float32)[:, None, None, None]
_ONE, _TWO = np.float32(1), np.float32(2)

# (joints, their predecessors) of each step along all chains together. A local rotation is relative
# to the joint before it on its chain, or to the pelvis for the first bone of every chain: the arms,
# which start at spine3, still count from the pelvis.
_LEVELS = [
    ([c[k] for c in CHAINS if len(c) > k], [c[k - 1] if k > 1 else 0 for c in CHAINS if len(c) > k])
    for k in range(1, max(map(len, CHAINS)))
]


def checked_joints(joints: np.ndarray) -> Float[np.ndarray, "frames 22 3"]:
    """Our 22 joints of a clip as float64, of any skeleton of :mod:`tmr.motion.joint_layouts`.

    Raises InputError when they cannot be turned into features: wrong shape or type, fewer than
    two frames, a skeleton that is not known, a value that is not finite, or a joint in the same
    place as its parent.
    """
    if joints.ndim != 3 or joints.shape[2] != 3:
        raise InputError(
            f"found an array of shape {joints.shape}, expected joint positions (frames, 22, 3)"
        )
    if len(joints) < 2:
        raise InputError(f"found {len(joints)} frame(s), expected at least 2: features need steps")
    if joints.dtype.kind not in "fiu":
        raise InputError(f"found values of type {joints.dtype}, expected numbers")
    joints = select_joints(joints)[1]
    finite = np.isfinite(joints)
    if not finite.all():
        frame, which, _ = np.argwhere(~finite)[0]
        raise InputError(f"frame {frame}: the position of {JOINTS[which]} is NaN or infinite")
    collapsed = np.argwhere(~bones(joints).any(axis=-1))
    if len(collapsed):
        frame, bone = collapsed[0]
        raise InputError(f"frame {frame}: {JOINTS[bone + 1]} is in the same place as its parent")
    return joints


def joints_to_features(joints: np.ndarray) -> Float32[np.ndarray, "steps 263"]:
    """Features of a clip of T frames, (T-1, 263), as the published files have them.

    ``joints`` is (T, 22 or more, 3) in meters, Y up, at 20 frames a second. Raises InputError for
    what :func:`checked_joints` refuses.
    """
    positions, clips = _concatenated([checked_joints(joints)])
    _, world = _inverse_kinematics(positions, clips, smooth=False)
    return _features(positions, world, clips)[0, :-1]


def joints_to_feature_pairs(
    motions: Sequence[Float[np.ndarray, "_ 22 3"]],
) -> list[tuple[Float32[np.ndarray, "_ 263"], Float32[np.ndarray, "_ 263"]]]:
    """For each clip of checked joints its :func:`joints_to_features`, and the mirrored clip's.

    The mirrored rotations follow from the others without a rounding; the reference skeleton is
    not symmetric, so all that comes after them is computed twice.
    """
    positions, clips = _concatenated(motions)
    _, world = _inverse_kinematics(positions, clips, smooth=False)
    features, mirrored = _features(
        np.concatenate([positions, _MIRRORED_POSITION * positions[:, MIRRORED_JOINTS]], axis=2),
        np.concatenate([world, _MIRRORED_ROTATION * world[:, MIRRORED_JOINTS]], axis=2),
        clips,
    )
    return [(features[clip][:-1], mirrored[clip][:-1]) for clip in clips.slices]


def features_to_joints(
    features: Float[np.ndarray, "*batch frames 263"],
) -> Float[np.ndarray, "*batch frames 22 3"]:
    """Joint positions in meters, Y up, from features: the pelvis starts above the origin.

    Positions come from the position columns and the path of the root; rotations, velocities and
    contacts are not used.
    """
    features = features.astype(np.float64)
    rate = features[..., TURN_RATE][..., 0]
    to_world = rotations.inverse(rotations.yaw(np.cumsum(rate, axis=-1) - rate))
    planar = np.zeros((*rate.shape, 3))
    planar[..., [0, 2]] = features[..., ROOT_VELOCITY]
    # A step is seen from the heading after it, so it belongs to the next frame.
    planar[..., 1:, :] = rotations.rotate_by_yaw(to_world[..., 1:, :], planar[..., :-1, :])
    planar[..., 0, :] = 0
    path = np.cumsum(planar, axis=-2)

    joints = np.empty((*rate.shape, NUM_JOINTS, 3))
    joints[..., 0, :] = path
    joints[..., 0, 1] = features[..., ROOT_HEIGHT][..., 0]
    around = features[..., POSITIONS].reshape(*rate.shape, NUM_JOINTS - 1, 3)
    joints[..., 1:, :] = (
        rotations.rotate_by_yaw(to_world[..., None, :], around) + path[..., None, :]
    )
    return joints


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

    def per_frame(self, values: Shaped[np.ndarray, "*n clips"]) -> Shaped[np.ndarray, "*n frames"]:
        """The value of each clip in all its frames."""
        return np.repeat(values, self.lengths, axis=-1)


def _concatenated(
    motions: Sequence[Float[np.ndarray, "_ 22 3"]],
) -> tuple[Float32[np.ndarray, "3 22 1 frames"], _Clips]:
    joints = np.concatenate(motions).astype(np.float32)
    clips = _Clips(np.array([len(motion) for motion in motions]))
    return np.ascontiguousarray(joints.transpose(2, 1, 0))[:, :, None], clips


def _features(
    positions: Float32[np.ndarray, "3 22 images frames"],
    world: Float32[np.ndarray, "4 22 images frames"],
    clips: _Clips,
) -> Float32[np.ndarray, "images frames 263"]:
    """Features from joints and rotations in the world; the last row of a clip has no meaning."""
    positions = _normalized(positions, world, clips)
    local, world = _inverse_kinematics(positions, clips, smooth=True)
    steps = np.roll(positions, -1, axis=-1) - positions
    around = positions.copy()
    around[[0, 2]] -= positions[[0, 2], :1]
    heading = world[::2, 0]
    upcoming = np.roll(heading, -1, axis=-1)
    turn = upcoming[1] * heading[0] - upcoming[0] * heading[1]

    features = np.empty((*positions.shape[2:], NUM_FEATURES), dtype=np.float32)
    features[..., TURN_RATE] = np.arcsin(np.clip(turn, -1, 1))[..., None]
    features[..., ROOT_VELOCITY] = np.moveaxis(_rotate_by_yaw(upcoming, steps[:, 0])[[0, 2]], 0, -1)
    features[..., ROOT_HEIGHT] = positions[1, 0, ..., None]
    features[..., POSITIONS] = _flat(_rotate_by_yaw(heading, around[:, 1:]))
    features[..., ROTATIONS] = _flat(_to_6d(local[:, 1:]))
    features[..., VELOCITIES] = _flat(_rotate_by_yaw(heading, steps))
    features[..., CONTACTS] = np.moveaxis(_contacts(steps[:, CONTACT_JOINTS]), 0, -1)
    return features


def _normalized(
    positions: Float32[np.ndarray, "3 22 images frames"],
    world: Float32[np.ndarray, "4 22 images frames"],
    clips: _Clips,
) -> Float32[np.ndarray, "3 22 images frames"]:
    """The clips on the reference skeleton, on the floor, starting at the origin and facing +Z."""
    hip, knee, ankle = (positions[:, j][..., clips.starts] for j in (2, 5, 8))
    scale = (_BONE_LENGTHS[5] + _BONE_LENGTHS[8]) / (_norm(knee - hip) + _norm(ankle - knee))
    # Bones are float32, their sums along the skeleton float64.
    fitted = np.empty(positions.shape)
    fitted[:, 0] = positions[:, 0] * clips.per_frame(scale)
    offsets = _rotate(world[:, 1:], _BONES)
    for j, parent in enumerate(PARENTS[1:], start=1):
        fitted[:, j] = offsets[:, j - 1] + fitted[:, parent]
    lowest = np.minimum.reduceat(fitted[1].min(axis=0), clips.starts, axis=-1)
    fitted[1] -= clips.per_frame(lowest)
    first = fitted[..., clips.starts]
    fitted[[0, 2]] -= clips.per_frame(first[[0, 2], :1])
    first[[0, 2]] -= first[[0, 2], :1]
    turn = _heading((first[:, 2] - first[:, 1]) + (first[:, 17] - first[:, 16]))
    return _rotate_by_yaw(clips.per_frame(turn), fitted.astype(np.float32))


def _inverse_kinematics(
    positions: Float32[np.ndarray, "3 22 images frames"], clips: _Clips, smooth: bool
) -> tuple[Float32[np.ndarray, "4 22 images frames"], Float32[np.ndarray, "4 22 images frames"]]:
    """Rotations of all bones, relative to their predecessor and in the world."""
    local = np.zeros((4, *positions.shape[1:]), dtype=np.float32)
    across = (positions[:, 1] - positions[:, 2]) + (positions[:, 17] - positions[:, 16])
    local[::2, 0] = _heading(across, clips if smooth else None)
    local[:, 0][..., clips.starts] = _IDENTITY
    directions = positions[:, 1:] - positions[:, PARENTS[1:]]
    total = _from_rest(directions / _norm(directions))
    world = local.copy()
    for joints, predecessors in _LEVELS:
        before = world[:, predecessors]
        local[:, joints] = _multiply(before * _CONJUGATE, total[:, np.array(joints) - 1])
        world[:, joints] = _multiply(before, local[:, joints])
    return local, world


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
    q = np.concatenate([w[None], _cross_with_axis(_REST, bones)])
    length = _norm(q)
    return np.where(length > 0, q / np.where(length > 0, length, _ONE), _HALF_TURNS)


def _rotate(
    q: Float32[np.ndarray, "4 21 images frames"], bones: Float32[np.ndarray, "3 21 1 1"]
) -> Float32[np.ndarray, "3 21 images frames"]:
    """Vectors along the axes, turned."""
    w, axes = q[0], q[1:]
    once = _cross_with_axis(axes, bones)
    return bones + _TWO * (w * once + _cross(axes, once))


def _rotate_by_yaw(
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


def _contacts(
    steps: Float32[np.ndarray, "3 4 images frames"],
) -> Bool[np.ndarray, "4 images frames"]:
    return (steps**2).sum(axis=0) < CONTACT_THRESHOLD


def _norm(v: Float[np.ndarray, "k *n"]) -> Float[np.ndarray, "*n"]:
    return np.sqrt((v**2).sum(axis=0))


def _flat(
    values: Float32[np.ndarray, "k joints images frames"],
) -> Float32[np.ndarray, "images frames joints*k"]:
    return values.transpose(2, 3, 1, 0).reshape(*values.shape[2:], -1)
