"""The physical report against motions whose figures follow from how they were made."""

import numpy as np
import pytest

from tmr.errors import InputError
from tmr.generation.physics import UNITS, mean_report, physical_report, table
from tmr.motion.skeleton import FPS, joint

FRAMES = 40
SECONDS = np.arange(FRAMES) / FPS


@pytest.fixture
def standing() -> np.ndarray:
    """A body at rest, its toes 2 cm above the floor and all else higher."""
    joints = np.random.default_rng(0).uniform(0.1, 1.8, size=(22, 3))
    joints[[joint("left_foot"), joint("right_foot")], 1] = 0.02
    return np.repeat(joints[None], FRAMES, axis=0)


def test_a_body_at_rest_has_none(standing: np.ndarray) -> None:
    assert physical_report(standing) == {"foot_sliding": 0, "floor_penetration": 0, "jitter": 0}


def test_a_body_that_glides_slides_at_its_speed(standing: np.ndarray) -> None:
    """Half a meter a second along a diagonal of the floor, without a change of velocity."""
    standing[..., 0] += 0.3 * SECONDS[:, None]
    standing[..., 2] += 0.4 * SECONDS[:, None]
    report = physical_report(standing)
    assert report["foot_sliding"] == pytest.approx(50)
    assert report["jitter"] == pytest.approx(0, abs=1e-8)


def test_a_foot_in_the_air_may_move(standing: np.ndarray) -> None:
    left, right = joint("left_foot"), joint("right_foot")
    standing[:, left, 0] += 0.3 * SECONDS
    standing[:, left, 1] = 0.2
    standing[: FRAMES // 2, right, 1] = 0.06
    standing[: FRAMES // 2, right, 2] += SECONDS[: FRAMES // 2]
    assert physical_report(standing)["foot_sliding"] == 0


def test_sinking_is_measured_in_millimeters_over_all_frames(standing: np.ndarray) -> None:
    standing[: FRAMES // 4, joint("left_wrist"), 1] = -0.008
    standing[: FRAMES // 4, joint("left_foot"), 1] = -0.002
    assert physical_report(standing)["floor_penetration"] == pytest.approx(2)


def test_jitter_is_the_third_derivative(standing: np.ndarray) -> None:
    """x = 5 t^3 on one joint of 22: a jerk of 30 m/s^3 there and none elsewhere."""
    standing[:, joint("head"), 0] += 5 * SECONDS**3
    assert physical_report(standing)["jitter"] == pytest.approx(30 / 22)


def test_figures_do_not_change_with_place_or_heading(standing: np.ndarray) -> None:
    random = np.random.default_rng(1)
    joints = standing + 0.05 * random.normal(size=standing.shape).cumsum(axis=0)
    joints[..., 1] = np.abs(joints[..., 1]) - 0.01
    turned = joints[..., [2, 1, 0]] * np.array([1, 1, -1]) + np.array([3.0, 0.0, -2.0])
    assert physical_report(turned) == pytest.approx(physical_report(joints))


def test_reports_are_averaged_and_shown_with_units(standing: np.ndarray) -> None:
    gliding = standing + 0.1 * SECONDS[:, None, None] * np.array([1, 0, 0])
    mean = mean_report([physical_report(standing), physical_report(gliding)])
    assert mean["foot_sliding"] == pytest.approx(5)
    lines = table({"1": mean, "real clips": physical_report(standing)}).splitlines()
    assert lines[0].split() == ["1", "real", "clips"]
    assert lines[1].split() == ["foot", "sliding,", "cm/s", "5.00", "0.00"]
    assert len(lines) == 1 + len(UNITS)


def test_three_frames_are_refused(standing: np.ndarray) -> None:
    with pytest.raises(InputError, match="found 3 frames"):
        physical_report(standing[:3])
