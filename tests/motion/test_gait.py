"""Steps of walkers, and what a wrong frame rate makes of them."""

import numpy as np
import pytest

from tests.motion.reference_features import rest_pose
from tmr.motion.conventions import Overrides
from tmr.motion.gait import FASTEST_WALK, walking_steps
from tmr.motion.read import read_motion
from tmr.motion.skeleton import FPS, joint
from tmr.synthetic.clip_builder import Spec
from tmr.synthetic.sequences import animate


def walker(steps_per_second: float, planted: bool = True) -> np.ndarray:
    """Six seconds of a body that glides at 1.2 m/s over feet that take turns."""
    joints = np.repeat(rest_pose()[None], 6 * FPS, axis=0)
    phase = np.arange(len(joints)) / FPS * steps_per_second / 2
    joints[..., 2] += (1.2 * np.arange(len(joints)) / FPS)[:, None]
    stride = 1.2 * 2 / steps_per_second
    for name, shift in (("left", 0.0), ("right", 0.5)):
        cycle = phase + shift
        # A planted foot stands for half a cycle, and passes the body in the other half.
        swing = np.clip(2 * (cycle % 1) - 1, 0, 1) if planted else cycle % 1
        ahead = stride * (np.floor(cycle) + swing - phase - shift)
        for part in ("ankle", "foot"):
            joints[:, joint(f"{name}_{part}"), 2] += ahead
    return joints


@pytest.mark.parametrize("rate", [1.4, 2.0, 4.0])
def test_steps_of_a_walker_are_counted(rate):
    assert walking_steps(walker(rate)) == pytest.approx(rate, abs=0.25)


def test_who_stands_turns_or_glides_does_not_walk():
    assert walking_steps(np.repeat(rest_pose()[None], 60, axis=0)) is None
    assert walking_steps(walker(2.0, planted=False)) is None
    assert walking_steps(walker(2.0)[:20]) is None
    assert walking_steps(rest_pose()[None]) is None


def test_a_walk_at_three_times_its_speed_is_noticed(tmp_path):
    walk = Spec("walk", direction="forward")
    np.save(tmp_path / "walk.npy", animate((walk,) * 4, np.random.default_rng(0)).joints)
    for fps, noticed in ((20, False), (60, True)):
        take = read_motion(tmp_path / "walk.npy", Overrides(fps=fps))
        steps = walking_steps(take.joints)
        assert steps is not None
        assert (steps > FASTEST_WALK) is noticed
        said = [text for text in take.warnings if "steps a second" in text]
        assert len(said) == noticed
