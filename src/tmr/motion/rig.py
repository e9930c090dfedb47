"""A clip of joint positions as a skeleton whose joints turn their children.

BVH and glTF animate a joint by its own rotation, which carries everything below it. The features
of HumanML3D instead give each bone a rotation of its own (see :mod:`tmr.motion.kinematics`), and
positions alone leave the turn of a bone about itself open. Here a joint with several children
(pelvis, spine3) takes the rotation that fits their directions best, and a joint with one child the
smallest turn, seen from its parent, that points the bone at it.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from tmr.errors import InputError
from tmr.motion import kinematics, rotations
from tmr.motion.skeleton import JOINTS, NUM_JOINTS, PARENTS

# A joint that turns alone cannot place this well is given translations too (meters). Skeletons
# with bones of constant length need none.
TOLERANCE = 1e-4

CHILDREN = tuple(
    tuple(child for child, parent in enumerate(PARENTS) if parent == joint)
    for joint in range(NUM_JOINTS)
)
_FITTING_ROUNDS = 4


def _t_pose_direction(name: str) -> tuple[float, float, float]:
    side = 1.0 if name.startswith("left") else -1.0
    for part, direction in {
        "hip": (side, -0.8, 0.0),
        "collar": (side, 0.8, 0.0),
        "shoulder": (side, 0.0, 0.0),
        "elbow": (side, 0.0, 0.0),
        "wrist": (side, 0.0, 0.0),
        "knee": (0.0, -1.0, 0.0),
        "ankle": (0.0, -1.0, 0.0),
        "foot": (0.0, -0.3, 1.0),
    }.items():
        if name.endswith(part):
            return direction
    return (0.0, 1.0, 0.0)  # spine, neck and head


# Unit vector (22, 3) from the parent to each joint of a person in T-pose who faces +Z.
T_POSE = np.array([_t_pose_direction(name) for name in JOINTS])
T_POSE /= np.linalg.norm(T_POSE, axis=-1, keepdims=True)
T_POSE.flags.writeable = False


@dataclass(frozen=True, slots=True)
class Rig:
    """An animated skeleton: 22 joints, 20 frames a second, meters, Y up.

    At rest a joint is at ``offsets`` from its parent, in a T-pose that faces +Z; the pelvis is at
    zero. In a frame it is at ``places`` from its parent, in the parent's turned frame, and turned
    by ``turns`` against the parent, a unit quaternion, scalar first. The places are the offsets but
    for the joints that are ``moving``: the pelvis, and those at the end of a bone whose length
    changes.
    """

    offsets: Float[np.ndarray, "22 3"]
    places: Float[np.ndarray, "frames 22 3"]
    turns: Float[np.ndarray, "frames 22 4"]
    moving: Bool[np.ndarray, " 22"]

    def joints(self) -> Float[np.ndarray, "frames 22 3"]:
        """The positions of the joints in the world, by forward kinematics."""
        joints, whole = self.places.copy(), self.turns.copy()
        for joint, parent in enumerate(PARENTS[1:], start=1):
            joints[:, joint] = joints[:, parent] + rotations.rotate(
                whole[:, parent], self.places[:, joint]
            )
            whole[:, joint] = rotations.multiply(whole[:, parent], self.turns[:, joint])
        return joints


def rig_of(joints: Float[np.ndarray, "frames 22 3"]) -> Rig:
    """The skeleton that follows a clip of at least one frame, each joint within 0.1 mm.

    Raises InputError for a clip without frames or with values that are not finite.
    """
    if not len(joints) or not np.isfinite(joints).all():
        raise InputError("found no frames, or values that are not finite, in the motion to write")
    joints = joints.astype(np.float64)
    offsets = _rest_offsets(joints)
    places = np.broadcast_to(offsets, joints.shape).copy()
    places[:, 0] = joints[:, 0]
    moving = np.zeros(NUM_JOINTS, dtype=bool)
    moving[0] = True
    reached = joints.copy()  # where the joints of the rig are
    whole = np.empty((*joints.shape[:-1], 4))
    turns = np.empty_like(whole)
    for joint, parent in enumerate(PARENTS):
        above = rotations.IDENTITY if parent < 0 else whole[:, parent]
        if parent >= 0:
            reached[:, joint] = reached[:, parent] + rotations.rotate(above, offsets[joint])
            missed = np.linalg.norm(reached[:, joint] - joints[:, joint], axis=-1)
            if missed.max() > TOLERANCE:
                moving[joint] = True
                reached[:, joint] = joints[:, joint]
                places[:, joint] = rotations.rotate(
                    rotations.inverse(above), joints[:, joint] - reached[:, parent]
                )
        children = list(CHILDREN[joint])
        aims = joints[:, children] - reached[:, joint, None]
        if len(children) > 1:
            whole[:, joint] = _best_rotation(offsets[children], aims)
        elif children:
            before = rotations.rotate(above, offsets[children[0]])
            swing = rotations.between(_unit(before), _unit(aims[:, 0]))
            whole[:, joint] = rotations.multiply(swing, above)
        else:
            whole[:, joint] = above
        turns[:, joint] = rotations.multiply(rotations.inverse(above), whole[:, joint])
    return Rig(offsets, places, _continuous(turns), moving)


def _rest_offsets(joints: Float[np.ndarray, "frames 22 3"]) -> Float[np.ndarray, "22 3"]:
    """The clip's mean bone lengths in T-pose; around pelvis and spine3, its own mean shape."""
    lengths = np.linalg.norm(kinematics.bones(joints), axis=-1).mean(axis=0)
    offsets = T_POSE * np.concatenate([[0.0], lengths])[:, None]
    for joint in range(NUM_JOINTS):
        children = list(CHILDREN[joint])
        if len(children) < 2:
            continue
        bones = joints[:, children] - joints[:, joint, None]
        for _ in range(_FITTING_ROUNDS):  # generalized Procrustes analysis
            undo = rotations.inverse(_best_rotation(offsets[children], bones))
            offsets[children] = rotations.rotate(undo[:, None], bones).mean(axis=0)
    return offsets


def _best_rotation(
    rest: Float[np.ndarray, "points 3"], seen: Float[np.ndarray, "frames points 3"]
) -> Float[np.ndarray, "frames 4"]:
    """The rotations that take ``rest`` nearest to ``seen``, by Horn's quaternion method (1987)."""
    s = np.einsum("pi,fpj->fij", rest, seen)
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = np.moveaxis(s, 0, -1)
    table = np.array(
        [
            [xx + yy + zz, yz - zy, zx - xz, xy - yx],
            [yz - zy, xx - yy - zz, xy + yx, zx + xz],
            [zx - xz, xy + yx, yy - xx - zz, yz + zy],
            [xy - yx, zx + xz, yz + zy, zz - xx - yy],
        ]
    )
    _, vectors = np.linalg.eigh(np.moveaxis(table, -1, 0))
    return vectors[..., -1]


def _unit(vectors: Float[np.ndarray, "frames 3"]) -> Float[np.ndarray, "frames 3"]:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)


def _continuous(turns: Float[np.ndarray, "frames 22 4"]) -> Float[np.ndarray, "frames 22 4"]:
    """The same rotations, each quaternion of the sign nearer to the one of the frame before."""
    flips = np.einsum("fjk,fjk->fj", turns[1:], turns[:-1]) < 0
    signs = np.ones((*turns.shape[:2], 1))
    signs[1:] = np.where(np.cumsum(flips, axis=0) % 2, -1.0, 1.0)[..., None]
    return turns * signs
