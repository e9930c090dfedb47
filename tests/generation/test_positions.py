"""APE and AVE against the loops of their definition, and motions whose errors are known."""

import numpy as np
import pytest

from tmr.errors import InputError
from tmr.generation.positions import NAMES, ape, ave, position_errors
from tmr.motion.features import POSITIONS, ROOT_HEIGHT, ROOT_VELOCITY, features_to_joints
from tmr.motion.skeleton import NUM_JOINTS

FRAMES = 30


@pytest.fixture
def features() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(FRAMES, 263)) * 0.1


def named(generated: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    return dict(zip(NAMES, position_errors(generated, reference), strict=True))


def test_a_motion_has_no_error_against_itself(features: np.ndarray) -> None:
    assert set(named(features, features.copy()).values()) == {0.0}


def test_errors_are_those_of_the_loops() -> None:
    random = np.random.default_rng(1)
    x, y = random.normal(size=(2, 7, 4, 3))
    distances, spreads = [], []
    for j in range(4):
        for f in range(7):
            distances.append(sum((x[f, j, a] - y[f, j, a]) ** 2 for a in range(3)) ** 0.5)
        variances = []
        for motion in (x, y):
            means = [sum(motion[f, j, a] for f in range(7)) / 7 for a in range(3)]
            variances.append(
                [sum((motion[f, j, a] - means[a]) ** 2 for f in range(7)) / 6 for a in range(3)]
            )
        spreads.append(sum((variances[0][a] - variances[1][a]) ** 2 for a in range(3)) ** 0.5)
    assert ape(x, y) == pytest.approx(sum(distances) / 28)
    assert ave(x, y) == pytest.approx(sum(spreads) / 4)


def test_global_errors_are_those_of_the_joints(features: np.ndarray) -> None:
    other = np.random.default_rng(2).normal(size=features.shape) * 0.1
    a, b = features_to_joints(features), features_to_joints(other)
    found = named(features, other)
    assert found["ape_root"] == pytest.approx(np.linalg.norm(a[:, 0] - b[:, 0], axis=-1).mean())
    assert found["ape_pose_global"] == pytest.approx(np.linalg.norm(a - b, axis=-1).mean())
    assert found["ave_trajectory"] == pytest.approx(
        np.linalg.norm(a[:, 0, [0, 2]].var(0, ddof=1) - b[:, 0, [0, 2]].var(0, ddof=1))
    )


def test_walking_too_fast_is_an_error_of_the_path_and_not_of_the_pose(
    features: np.ndarray,
) -> None:
    """1 cm more each frame: after t frames, t cm; on average (F - 1) / 2 cm."""
    features[:, :3] = 0
    faster = features.copy()
    faster[:, ROOT_VELOCITY] += [0, 0.01]
    found = named(faster, features)
    assert found["ape_root"] == pytest.approx(0.01 * (FRAMES - 1) / 2)
    assert found["ape_trajectory"] == pytest.approx(found["ape_root"])
    assert found["ape_pose_local"] == found["ave_pose_local"] == 0
    steps = 0.01 * np.arange(FRAMES)
    assert found["ave_root"] == pytest.approx(steps.var(ddof=1))


def test_crouching_moves_the_root_and_not_the_pose(features: np.ndarray) -> None:
    lower = features.copy()
    lower[:, ROOT_HEIGHT] -= 0.2
    heights = lower[:, POSITIONS].reshape(FRAMES, NUM_JOINTS - 1, 3)
    heights[..., 1] -= 0.2
    lower[:, POSITIONS] = heights.reshape(FRAMES, -1)
    found = named(lower, features)
    for name in ("ape_root", "ape_pose_global"):
        assert found[name] == pytest.approx(0.2)
    for name in NAMES:
        if name not in ("ape_root", "ape_pose_global"):
            assert found[name] == pytest.approx(0, abs=1e-12)


def test_other_lengths_are_refused(features: np.ndarray) -> None:
    with pytest.raises(InputError, match="found 29 generated and 30 reference frames"):
        position_errors(features[:-1], features)
    with pytest.raises(InputError, match="at least two"):
        position_errors(features[:1], features[:1])
