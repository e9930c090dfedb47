"""From posture angles and planned footsteps to joints: the body of the procedural motions.

A `Track` says where the feet are, how the pelvis stands over them and how spine, head, arms and
lifted legs bend. `solve` turns it into joints with the bone lengths of the reference skeleton: the
trunk and the arms by forward kinematics, the legs by two-bone inverse kinematics, so that a planted
foot stays where it is. Angles are radians, lengths meters, 20 frames a second; Y is up, and a
person who faces +Z has the left side at +X.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from tmr.motion.skeleton import BONE_LENGTHS, JOINTS

SIDES = ("left", "right")
_TRUNK = (
    *("x", "z", "heading"),  # where the person is and faces, on the floor
    *("shift", "height", "ahead"),  # pelvis from there: to the left, up, forward
    *("pitch", "roll", "turn"),  # pelvis: forward lean, to the right side, to the left
    *("bend", "tilt", "twist"),  # spine over the pelvis, in the same senses
    *("nod", "cock", "look"),  # head over the chest, in the same senses
)
_LIMBS = (
    *("flex", "abduct", "inward", "elbow", "shrug"),  # arm forward, sideways, turned in; bent
    *("free", "hip", "out", "knee", "point"),  # leg: 1 when led by these angles, not by footsteps
)
CHANNELS = (*_TRUNK, *(f"{side}_{name}" for side in SIDES for name in _LIMBS))
INDEX = {name: i for i, name in enumerate(CHANNELS)}

# Directions from the parent in a person who stands upright, after the reference skeleton's first
# frame, made symmetric. The legs and arms hang; `solve` bends them.
_STANDING = {
    "left_hip": (0.060, -0.084, -0.008),
    "spine1": (0.0, 0.126, -0.034),
    "spine2": (0.0, 0.142, 0.016),
    "spine3": (0.0, 0.057, 0.004),
    "left_collar": (0.078, 0.114, -0.014),
    "left_shoulder": (0.122, 0.012, -0.022),
    "neck": (0.0, 0.218, -0.016),
    "head": (0.0, 0.085, 0.05),
}
MIRROR = np.array([-1.0, 1.0, 1.0])
_ANKLE = 0.062  # height of the ankle over the ball of the foot, which touches the floor at y = 0


@dataclass(frozen=True)
class Build:
    """What differs from one body, and from one motion capture system, to the next at rest.

    ``standing`` are directions of bones in a person who stands upright, of the left side and the
    middle; ``ankle`` is the height of the ankle over the ball of the foot, meters. Lengths of bones
    are always those of the reference skeleton.
    """

    standing: Mapping[str, tuple[float, float, float]]
    ankle: float

    @staticmethod
    def draw(rng: np.random.Generator, variety: float = 1.0) -> "Build":
        """The reference's bones, each turned by some degrees, the same on both sides.

        ``variety`` scales what tells bodies apart; by 0 all are the reference.
        """
        standing = {}
        for name, direction in _STANDING.items():
            off = variety * rng.normal(0, 0.1, 3)
            side, up, ahead = np.array(direction) / np.linalg.norm(direction) + off
            standing[name] = (float(side) if direction[0] else 0.0, float(up), float(ahead))
        return Build(standing, float(_ANKLE + variety * (rng.uniform(0.05, 0.075) - _ANKLE)))

    def offset(self, name: str) -> Float[np.ndarray, "3"]:
        """From the parent to the joint in a person who stands upright."""
        vector = np.array(self.standing[name.replace("right", "left")])
        vector = vector * MIRROR if name.startswith("right") else vector
        return vector / np.linalg.norm(vector) * BONE_LENGTHS[JOINTS.index(name)]

    def foot(self, side: str) -> Float[np.ndarray, "3"]:
        """From the ankle to the ball of a flat foot that points to +Z."""
        length = _length(f"{side}_foot")
        return np.array([0.0, -self.ankle, np.sqrt(length**2 - self.ankle**2)])

    def standing_height(self) -> float:
        """Height of the pelvis of a person at rest, both knees slightly bent."""
        legs = [
            self.ankle
            - self.offset(f"{side}_hip")[1]
            + _length(f"{side}_knee")
            + _length(f"{side}_ankle")
            for side in SIDES
        ]
        return min(legs) - 0.018


_STRETCH = 0.992  # the knee never locks: the leg is at most this share of its length
_UP_ON_TOES = np.radians(72.0)


def _length(name: str) -> float:
    return float(BONE_LENGTHS[JOINTS.index(name)])


REFERENCE = Build(_STANDING, _ANKLE)
STANDING = REFERENCE.standing_height()


@dataclass
class Track:
    """How a body moves, before its joints are computed.

    ``channels`` holds one column for each of `CHANNELS`; feet are in the order left, right.
    ``toes`` is the plan for the balls of the feet, ``pitch`` how far the heel is
    raised (the toes, where it is negative).
    """

    channels: Float[np.ndarray, "frames channels"]
    toes: Float[np.ndarray, "frames 2 3"]
    yaw: Float[np.ndarray, "frames 2"]
    pitch: Float[np.ndarray, "frames 2"]
    planted: Bool[np.ndarray, "frames 2"]
    build: Build = REFERENCE

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.channels)

    def __getitem__(self, name: str) -> Float[np.ndarray, " frames"]:
        """The column of one channel, as a view."""
        return self.channels[:, INDEX[name]]


def about_x(angle: Float[np.ndarray, " frames"]) -> Float[np.ndarray, "frames 3 3"]:
    """Rotation matrices about X: a positive angle leans the up axis forward."""
    return _about(angle, (0, 1, 2))


def about_y(angle: Float[np.ndarray, " frames"]) -> Float[np.ndarray, "frames 3 3"]:
    """Rotation matrices about Y: a positive angle turns a person to the left."""
    return _about(angle, (1, 2, 0))


def about_z(angle: Float[np.ndarray, " frames"]) -> Float[np.ndarray, "frames 3 3"]:
    """Rotation matrices about Z: a positive angle leans a person to the right."""
    return _about(angle, (2, 0, 1))


def _about(
    angle: Float[np.ndarray, " frames"], axes: tuple[int, int, int]
) -> Float[np.ndarray, "frames 3 3"]:
    axis, a, b = axes
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = np.zeros((len(angle), 3, 3))
    matrix[:, axis, axis] = 1
    matrix[:, a, a] = matrix[:, b, b] = cos
    matrix[:, a, b], matrix[:, b, a] = -sin, sin
    return matrix


def solve(track: Track) -> Float[np.ndarray, "frames 22 3"]:
    """Joints of the track, bone lengths exactly those of the reference skeleton.

    The pelvis is lowered where a planted foot would be out of reach, and heels rise before that.
    """
    build = track.build
    joints = np.zeros((len(track), len(JOINTS), 3))
    heading = about_y(track["heading"])
    turned = heading @ about_y(track["turn"])
    pelvis = turned @ about_z(track["roll"]) @ about_x(track["pitch"])
    aside = np.stack([track["shift"], np.zeros(len(track)), track["ahead"]], axis=-1)
    root = np.stack([track["x"], build.standing_height() + track["height"], track["z"]], axis=-1)
    root = root + (heading @ aside[..., None])[..., 0]
    hips = {side: pelvis @ build.offset(f"{side}_hip") for side in SIDES}
    root[:, 1] -= _out_of_reach(track, {side: root + hips[side] for side in SIDES})

    def place(name: str, parent: str, vector: np.ndarray) -> None:
        joints[:, JOINTS.index(name)] = joints[:, JOINTS.index(parent)] + vector

    joints[:, 0] = root
    third = about_y(track["twist"] / 3) @ about_z(track["tilt"] / 3) @ about_x(track["bend"] / 3)
    place("spine1", "pelvis", pelvis @ build.offset("spine1"))
    place("spine2", "spine1", pelvis @ third @ build.offset("spine2"))
    place("spine3", "spine2", pelvis @ third @ third @ build.offset("spine3"))
    chest = pelvis @ third @ third @ third
    place("neck", "spine3", chest @ build.offset("neck"))
    head = chest @ about_y(track["look"]) @ about_z(track["cock"]) @ about_x(track["nod"])
    place("head", "neck", head @ build.offset("head"))
    for foot, side in enumerate(SIDES):
        _solve_arm(track, side, chest, place)
        place(f"{side}_hip", "pelvis", hips[side])
        _solve_leg(track, foot, turned, joints)
    return joints


def _solve_arm(track, side, chest, place) -> None:
    sign = 1.0 if side == "left" else -1.0
    flex, abduct = track[f"{side}_flex"], track[f"{side}_abduct"]
    upper = about_x(-flex) @ about_z(sign * abduct) @ about_y(-sign * track[f"{side}_inward"])
    raised = np.arccos(np.clip(np.cos(flex) * np.cos(abduct), -1, 1))
    shrug = track[f"{side}_shrug"] + 0.25 * np.maximum(raised - 0.7, 0)
    reach = -0.15 * np.sin(np.clip(flex, -1.5, 1.5))
    collar = chest @ about_y(sign * reach) @ about_z(sign * shrug)
    lower = upper @ about_x(-np.clip(track[f"{side}_elbow"], 0.05, 2.6))
    down = np.array([0.0, -1.0, 0.0])
    place(f"{side}_collar", "spine3", chest @ track.build.offset(f"{side}_collar"))
    place(f"{side}_shoulder", f"{side}_collar", collar @ track.build.offset(f"{side}_shoulder"))
    place(f"{side}_elbow", f"{side}_shoulder", chest @ upper @ down * _length(f"{side}_elbow"))
    place(f"{side}_wrist", f"{side}_elbow", chest @ lower @ down * _length(f"{side}_wrist"))


def _ankle(
    track: Track, foot: int, pitch: Float[np.ndarray, "*tries frames"]
) -> tuple[Float[np.ndarray, "*tries frames 3"], Float[np.ndarray, "*tries frames 3"]]:
    """Ankle, and the vector from it to the ball, of a foot that rolls over its ball or heel."""
    _, drop, length = track.build.foot(SIDES[foot])
    yaw = track.yaw[:, foot]

    def ball(angle: np.ndarray) -> np.ndarray:
        cos, sin = np.cos(angle), np.sin(angle)
        ahead = drop * sin + length * cos
        return np.stack([np.sin(yaw) * ahead, drop * cos - length * sin, np.cos(yaw) * ahead], -1)

    return track.toes[:, foot] - ball(np.maximum(pitch, 0)), ball(pitch)


def _leg_length(side: str) -> float:
    return _length(f"{side}_knee") + _length(f"{side}_ankle")


def _out_of_reach(
    track: Track, hips: dict[str, Float[np.ndarray, "frames 3"]]
) -> Float[np.ndarray, " frames"]:
    """How far the pelvis has to come down for the planted feet, smooth in time."""
    excess = np.zeros(len(track))
    for foot, side in enumerate(SIDES):
        for raised, sure in ((0.45, False), (_UP_ON_TOES, True)):
            ankle, _ = _ankle(track, foot, np.maximum(track.pitch[:, foot], raised))
            away = hips[side] - ankle
            reach = _STRETCH * _leg_length(side)
            above = np.sqrt(np.maximum(reach**2 - away[:, 0] ** 2 - away[:, 2] ** 2, 0.01))
            held = track.planted[:, foot] * (1 - track[f"{side}_free"])
            over = np.maximum(away[:, 1] - above, 0) * held
            excess = np.maximum(excess, over if sure else gaussian_filter1d(over, 2.0))
    return gaussian_filter1d(maximum_filter1d(excess, 5), 1.0)


def _solve_leg(
    track: Track,
    foot: int,
    turned: Float[np.ndarray, "frames 3 3"],
    joints: Float[np.ndarray, "frames 22 3"],
) -> None:
    side = SIDES[foot]
    sign = 1.0 if side == "left" else -1.0
    thigh, shank = _length(f"{side}_knee"), _length(f"{side}_ankle")
    hip = joints[:, JOINTS.index(f"{side}_hip")]
    ankle, ball = _ankle(track, foot, _rise(track, foot, hip))

    free = track[f"{side}_free"][:, None]
    leg = turned @ about_z(sign * track[f"{side}_out"]) @ about_x(-track[f"{side}_hip"])
    lower = leg @ about_x(track[f"{side}_knee"])
    down = np.array([0.0, -1.0, 0.0])
    lifted = hip + leg @ down * thigh + lower @ down * shank
    ankle = ankle + free * (lifted - ankle)
    ball = ball + free * (lower @ about_x(track[f"{side}_point"]) @ track.build.foot(side) - ball)

    ball = ball / np.linalg.norm(ball, axis=-1, keepdims=True) * _length(f"{side}_foot")
    ankle[:, 1] += np.maximum(0, -np.minimum(ankle[:, 1] + ball[:, 1], ankle[:, 1]))

    toward = ankle - hip
    distance = np.linalg.norm(toward, axis=-1, keepdims=True)
    toward = toward / distance
    distance = np.clip(distance, 0.25, 0.9995 * (thigh + shank))
    facing = (track["heading"] + track["turn"] + track.yaw[:, foot]) / 2 + sign * 0.06
    facing = facing + free[:, 0] * (track["heading"] + track["turn"] - facing)
    lateral = about_y(facing) @ np.array([1.0, 0.0, 0.0])
    lateral = lateral + free * (leg @ np.array([1.0, 0.0, 0.0]) - lateral)
    front = np.cross(toward, lateral)
    front = front / np.linalg.norm(front, axis=-1, keepdims=True)
    along = (distance**2 + thigh**2 - shank**2) / (2 * distance)
    knee = hip + along * toward + np.sqrt(np.maximum(thigh**2 - along**2, 0)) * front
    end = hip + distance * toward
    joints[:, JOINTS.index(f"{side}_knee")] = knee
    joints[:, JOINTS.index(f"{side}_ankle")] = end
    joints[:, JOINTS.index(f"{side}_foot")] = end + ball


def _rise(
    track: Track, foot: int, hip: Float[np.ndarray, "frames 3"]
) -> Float[np.ndarray, " frames"]:
    """The planned pitch, or the smallest one above it that brings the ankle within reach."""
    reach = _STRETCH * _leg_length(SIDES[foot])
    plan = track.pitch[:, foot]
    shares = np.linspace(0, 1, 10)
    tries = plan + (np.maximum(plan, _UP_ON_TOES) - plan) * shares[:, None]
    away = np.linalg.norm(_ankle(track, foot, tries)[0] - hip, axis=-1) - reach
    first = np.where((away <= 0).any(axis=0), (away <= 0).argmax(axis=0), len(shares) - 1)
    frames = np.arange(len(track))
    before = np.maximum(first - 1, 0)
    near, far = away[first, frames], away[before, frames]
    share = np.clip(far / np.where(far > near, far - near, 1.0), 0, 1)
    return tries[before, frames] + share * (tries[first, frames] - tries[before, frames])
