import numpy as np
import pytest

from tmr.errors import InputError
from tmr.motion.profiles import PROFILES, profile_for
from tmr.motion.skeleton import joint


def foreign(name: str) -> tuple[list[str], np.ndarray]:
    """The joints that a profile needs, at random places in two frames."""
    profile = PROFILES[name]
    names = ["Somewhere", *profile.spine, *profile.joints.values()]
    return names, np.random.default_rng(0).normal(size=(2, len(names), 3))


@pytest.mark.parametrize("name", PROFILES)
def test_all_joints_are_placed_and_left_stays_left(name):
    names, positions = foreign(name)
    ours = PROFILES[name].select(names, positions)
    assert np.isfinite(ours).all()
    place = dict(zip(names, positions.swapaxes(0, 1) * PROFILES[name].unit, strict=True))
    for side, theirs in {
        "left": {"bandai": "Hand_L", "cmu": "LeftHand"}[name],
        "right": {"bandai": "Hand_R", "cmu": "RightHand"}[name],
    }.items():
        assert np.allclose(ours[:, joint(f"{side}_wrist")], place[theirs])


@pytest.mark.parametrize("name", PROFILES)
def test_spine_and_collars_lie_at_the_stated_fractions(name):
    names, positions = foreign(name)
    # A bent spine of three segments, 1, 2 and 1 units long: up, sideways, up.
    corners = np.array([[0, 0, 0], [0, 1, 0], [2, 1, 0], [2, 2, 0]], dtype=float)
    for corner, theirs in zip(corners, PROFILES[name].spine, strict=True):
        positions[:, names.index(theirs)] = corner
    ours = PROFILES[name].select(names, positions)[0] / PROFILES[name].unit
    assert np.allclose(ours[joint("pelvis")], [0, 0, 0])
    assert np.allclose(ours[joint("spine1")], [0, 0.22 * 4, 0])
    assert np.allclose(ours[joint("spine2")], [0.48 * 4 - 1, 1, 0])
    assert np.allclose(ours[joint("spine3")], [0.59 * 4 - 1, 1, 0])
    assert np.allclose(ours[joint("neck")], [2, 2, 0])
    for side in ("left", "right"):
        shoulder, collar = ours[joint(f"{side}_shoulder")], ours[joint(f"{side}_collar")]
        assert np.allclose(collar, 0.45 * ours[joint("spine3")] + 0.55 * shoulder)


@pytest.mark.parametrize("name", PROFILES)
def test_a_skeleton_finds_its_profile(name):
    assert profile_for(foreign(name)[0]) is PROFILES[name]
    assert profile_for(foreign(name)[0], name) is PROFILES[name]


def test_a_missing_joint_is_named_with_the_profile_that_needs_it():
    names = [name for name in foreign("cmu")[0] if name != "LeftUpLeg"]
    for wanted in (None, "cmu"):
        with pytest.raises(InputError, match=r"'LeftUpLeg', which skeleton profile 'cmu'.*bandai"):
            profile_for(names, wanted)


def test_an_unknown_profile_is_refused():
    with pytest.raises(InputError, match=r"unknown skeleton profile 'smpl'.*bandai, cmu"):
        profile_for(foreign("cmu")[0], "smpl")
