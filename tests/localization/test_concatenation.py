"""Joined clips go on where the last one ended, and are themselves behind the blend."""

import numpy as np
import pytest

from tests.motion.reference_features import rest_pose
from tmr.localization.concatenation import BLEND_SECONDS, join
from tmr.motion import kinematics
from tmr.motion.skeleton import FPS

STANDING = rest_pose()


@pytest.fixture
def clips() -> list[np.ndarray]:
    """People who glide along a curve, each at a height of their own."""
    rng = np.random.default_rng(0)
    made = []
    for frames in (40, 25, 60):
        t = np.arange(frames)[:, None] / FPS
        turn = rng.uniform(-1, 1) * t
        x, y, z = STANDING.T + np.array([[0.0], [rng.uniform(0, 0.2)], [0.0]])
        across = np.cos(turn) * x + np.sin(turn) * z + t
        along = np.cos(turn) * z - np.sin(turn) * x + 0.5 * t
        made.append(np.stack([across, np.broadcast_to(y, (frames, 22)), along], axis=-1))
    return made


def test_lengths_are_exact_and_the_first_clip_is_untouched(clips):
    joints, spans = join(clips)
    assert spans.tolist() == [[0, 40], [40, 65], [65, 125]]
    np.testing.assert_array_equal(joints[:40], clips[0])


def test_a_seam_is_no_larger_a_step_than_those_of_the_clips(clips):
    joints, _ = join(clips)
    steps = np.linalg.norm(np.diff(joints, axis=0), axis=-1).max(axis=1)
    usual = max(np.linalg.norm(np.diff(c, axis=0), axis=-1).max() for c in clips)
    assert steps[[39, 64]].max() < 1.2 * usual


def test_the_facing_goes_on(clips):
    joints, _ = join(clips)
    before, after = (kinematics.heading(kinematics.across(joints[i])) for i in (39, 40))
    np.testing.assert_allclose(abs(before @ after), 1, atol=1e-3)


def test_behind_the_blend_a_clip_has_its_own_shape(clips):
    """Distances between joints of a frame and over time do not know about place and heading."""
    joints, spans = join(clips)
    for clip, (begin, end) in zip(clips, spans, strict=True):
        free = round(BLEND_SECONDS * FPS) + 1
        joined = joints[begin:end][free:].reshape(-1, 3)
        own = clip[free:].reshape(-1, 3)
        np.testing.assert_allclose(
            np.linalg.norm(joined - joined[0], axis=1), np.linalg.norm(own - own[0], axis=1),
            atol=1e-9,
        )  # fmt: skip
