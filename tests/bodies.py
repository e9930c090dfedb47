"""Joints of a body that walks and swings its arms: motion that looks like one, drawn by a seed."""

import numpy as np

from tmr.motion.features import joints_to_features
from tmr.motion.skeleton import BONE_LENGTHS, NUM_JOINTS, PARENTS, REST_DIRECTIONS, joint

ARMS = [[joint(f"{side}_{name}") for name in ("elbow", "wrist")] for side in ("left", "right")]
LEGS = [[joint(f"{side}_{name}") for name in ("knee", "ankle")] for side in ("left", "right")]


def walk(frames: int, seed: int = 0) -> np.ndarray:
    """Joints (frames, 22, 3): meters, Y up, right-handed, 20 frames a second, toward +Z."""
    random = np.random.default_rng(seed)
    phase = np.arange(frames) / 20 * random.uniform(4, 8) + random.uniform(0, 6)
    swing = random.uniform(0.2, 0.5) * np.sin(phase)
    directions = np.tile(REST_DIRECTIONS, (frames, 1, 1))
    for limbs, strength in ((ARMS, 1.0), (LEGS, -0.8)):
        for side, angle in zip(limbs, (strength * swing, -strength * swing), strict=True):
            directions[:, side] = np.stack([0 * angle, -np.cos(angle), np.sin(angle)], 1)[:, None]
    joints = np.zeros((frames, NUM_JOINTS, 3))
    joints[:, 0, 1] = 0.95 + 0.02 * np.cos(2 * phase)
    joints[:, 0, 2] = np.arange(frames) / 20 * random.uniform(0.6, 1.4)
    for child in range(1, NUM_JOINTS):
        joints[:, child] = joints[:, PARENTS[child]] + BONE_LENGTHS[child] * directions[:, child]
    return joints + 0.001 * random.normal(size=joints.shape)


def walk_features(frames: int, seed: int = 0) -> np.ndarray:
    """Features (frames, 263) of such a walk."""
    return joints_to_features(walk(frames + 1, seed))
