"""What is taken for features or joints and is not: refused with a remedy, and the remedy works."""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.bodies import walk, walk_features
from tmr.errors import InputError
from tmr.motion.conventions import Overrides
from tmr.motion.feature_checks import convention_problem
from tmr.motion.inputs import as_features
from tmr.motion.mirror import MIRRORED_JOINTS

JOINTS = [walk(41 + 7 * seed, seed) for seed in range(6)]
FEATURES = [walk_features(40 + 7 * seed, seed) for seed in range(6)]
MEAN = np.concatenate(FEATURES).mean(axis=0)
STD = np.concatenate(FEATURES).std(axis=0) + 1e-2


def same(found: list[np.ndarray], atol: float = 1e-5) -> bool:
    return all(np.allclose(a, b, atol=atol) for a, b in zip(found, FEATURES, strict=True))


def padded(motions: list[np.ndarray]) -> np.ndarray:
    longest = max(len(motion) for motion in motions)
    filled = np.zeros((len(motions), longest, *motions[0].shape[1:]), motions[0].dtype)
    for row, motion in zip(filled, motions, strict=True):
        row[: len(motion)] = motion
    return filled


def test_right_input_of_every_kind_gives_the_same_features() -> None:
    for given_motions in (
        FEATURES,
        tuple(FEATURES),
        (motion for motion in FEATURES),
        [torch.from_numpy(motion).double() for motion in FEATURES],
        [np.asfortranarray(motion) for motion in FEATURES],
        [motion[::-1].copy()[::-1] for motion in FEATURES],
        JOINTS,
        [torch.from_numpy(motion) for motion in JOINTS],
        [np.concatenate([m, m[:, :2]], axis=1) for m in JOINTS],  # 24 joints of SMPL
    ):
        assert same(as_features(given_motions))


def test_padded_batches_are_read_with_their_lengths_alone() -> None:
    lengths = [len(motion) for motion in FEATURES]
    assert same(as_features(padded(FEATURES), lengths=lengths))
    assert same(as_features(torch.from_numpy(padded(FEATURES)), lengths=torch.tensor(lengths)))
    assert same(as_features(padded(JOINTS), lengths=[length + 1 for length in lengths]))
    with pytest.raises(InputError, match=r"1 of 6: 35 of 75 frames are all zeros, from .* 40"):
        as_features(padded(FEATURES))
    with pytest.raises(InputError, match=r"motion 1 of 6: .* in the same place as its parent"):
        as_features(padded(JOINTS))
    for lengths, message in (
        ([40], "found 1 lengths for 6 motions"),
        ([0] * 6, "motion 1 has 75 frames and a length of 0"),
        ([76] * 6, "motion 1 has 75 frames and a length of 76"),
    ):
        with pytest.raises(InputError, match=message):
            as_features(padded(FEATURES), lengths=lengths)


def test_normalized_features_are_restored_by_their_statistics_and_refused_without() -> None:
    normal = [(motion - MEAN) / STD for motion in FEATURES]
    assert same(as_features(normal, normalized_by=(MEAN, STD)), atol=1e-3)
    tensors = (torch.from_numpy(MEAN), torch.from_numpy(STD))
    assert same(as_features(normal, normalized_by=tensors), atol=1e-3)
    with pytest.raises(InputError, match=r"seem normalized: .*normalized_by=\(mean, std\)"):
        as_features(normal)
    with pytest.raises(InputError, match="an array of shape \\(3,\\), expected the mean"):
        as_features(normal, normalized_by=(MEAN[:3], STD))


def z_up(joints: np.ndarray) -> np.ndarray:
    return joints[..., [0, 2, 1]] * [1, -1, 1]


JOINT_FAULTS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str, dict[str, Any] | None]] = {
    "Z up": (z_up, "stands along z, expected y: give up='z'", {"up": "z"}),
    "upside down": (lambda x: x * [1, -1, -1] + [0, 1.6, 0], "give up='-y'", None),
    "centimeters": (lambda x: 100 * x, "unit=METERS", {"unit": "cm"}),
    "left-handed": (lambda x: x * [-1, 1, 1], "give handedness=left", {"handedness": "left"}),
    "sides exchanged": (lambda x: x[:, MIRRORED_JOINTS], "knees and toes point backward", None),
    "reordered": (lambda x: x[:, ::-1], "taken for others|not the positions|not a human", None),
    "pelvis-centered": (lambda x: x - x[:, :1], "centered on the pelvis", None),
}


@pytest.mark.parametrize("fault", JOINT_FAULTS)
def test_joints_that_mean_something_else_are_refused_and_the_remedy_works(fault: str) -> None:
    spoil, message, remedy = JOINT_FAULTS[fault]
    wrong = [spoil(joints) for joints in JOINTS]
    with pytest.raises(InputError, match=rf"^motion 1 of 6: [^\n]*({message})[^\n]*check=False"):
        as_features(wrong)
    with pytest.raises(InputError, match=message):
        as_features(wrong[:1])
    assert as_features(wrong, check=False)
    if remedy is not None:
        assert same(as_features(wrong, overrides=Overrides(**remedy)), atol=1e-3)


def test_joints_of_another_rate_are_resampled() -> None:
    at_60 = [np.repeat(joints, 3, axis=0)[: 3 * len(joints) - 2] for joints in JOINTS]
    assert same(as_features(at_60, overrides=Overrides(fps=60)), atol=1e-4)
    with pytest.raises(InputError, match="features are always at 20 frames a second"):
        as_features(FEATURES, overrides=Overrides(fps=60))


FEATURE_FAULTS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str]] = {
    "mirrored": (lambda x: x * [-1, 1, 1], "knees and toes point backward"),
    "upside down": (lambda x: x * [1, -1, -1], "the head is below the feet"),
    "Z up": (z_up, "the body lies in every motion.*up='z'"),
    "pelvis-centered": (lambda x: x - x[:, :1], "the pelvis never moves"),
}


@pytest.mark.parametrize("fault", FEATURE_FAULTS)
def test_features_of_joints_that_mean_something_else_are_refused(fault: str) -> None:
    spoil, message = FEATURE_FAULTS[fault]
    wrong = as_features([spoil(joints) for joints in JOINTS], check=False)
    with pytest.raises(InputError, match=message):
        as_features(wrong)
    assert len(as_features(wrong, check=False)) == 6


def test_columns_in_another_order_are_refused() -> None:
    shuffled = np.random.default_rng(0).permutation(21)
    wrong = [motion.copy() for motion in FEATURES]
    for motion in wrong:
        motion[:, 4:67] = motion[:, 4:67].reshape(-1, 21, 3)[:, shuffled].reshape(-1, 63)
    with pytest.raises(InputError, match="joints are in another order"):
        as_features(wrong)
    scaled = [np.concatenate([m[:, :259], 4 * m[:, 259:] - 2], axis=1) for m in FEATURES]
    with pytest.raises(InputError, match="the last four columns are exchanged or scaled"):
        as_features(scaled)


def test_generated_features_that_are_never_exact_pass() -> None:
    random = np.random.default_rng(0)
    for strength in (0.05, 0.2):
        noisy = [m + strength * STD * random.normal(size=m.shape) for m in FEATURES]
        assert len(as_features(noisy)) == 6


def test_one_odd_motion_among_many_is_logged_and_encoded(caplog: pytest.LogCaptureFixture) -> None:
    odd = as_features([JOINTS[2] * [-1, 1, 1]], check=False)[0]
    with caplog.at_level(logging.WARNING):
        assert len(as_features([*FEATURES[:2], odd, *FEATURES[3:]])) == 6
    assert caplog.text.count("motion 3 of 6: knees and toes point backward") == 1


def test_real_motions_have_no_problem_but_the_one_in_a_left_handed_frame(shared) -> None:
    golden = np.load(shared / "golden" / "features.npz")
    names = sorted(name.removesuffix(".feats") for name in golden if name.endswith(".feats"))
    problems = {name: convention_problem(golden[f"{name}.feats"]) for name in names}
    odd = [name for name, problem in problems.items() if problem is not None]
    assert odd == ["000001"]
    assert "knees and toes point backward" in str(problems["000001"])
    assert len(as_features([golden[f"{name}.joints"] for name in names])) == len(names)


NOT_MOTIONS = {
    "None": (None, "expected a list of motions, found NoneType"),
    "number": (3, "expected a list of motions, found int"),
    "path": ("x.npy", "expected motions as arrays, found the text 'x.npy'"),
    "list of paths": (["x.npy"], "motion 1 is the path 'x.npy'.*read_features"),
    "list of lists": ([FEATURES[0].tolist()], "motion 1 is a list, expected a NumPy array"),
    "list of None": ([None], "motion 1 is a NoneType"),
    "nothing": ([], "at least one motion, found none"),
    "exhausted": (iter([]), "at least one motion, found none"),
    "KIT-ML": ([np.ones((40, 251))], r"shape \(40, 251\) \(those of KIT-ML's 21 joints"),
    "272": ([np.ones((40, 272))], "give joints"),
    "flat joints": ([np.ones((40, 66))], "Reshape them to"),
    "one motion": (FEATURES[0], r"motion 1 of 40: found an array of shape \(263,\)"),
    "object array": ([FEATURES[0].astype(object)], "no numbers"),
    "complex": ([FEATURES[0].astype(complex)], "no numbers"),
    "strings": ([FEATURES[0].astype(str)], "no numbers"),
    "structured": ([np.zeros((3, 263), dtype=[("x", "f4")])], "no numbers"),
    "booleans": ([FEATURES[0] > 0], "no numbers"),
}


@pytest.mark.parametrize("what", NOT_MOTIONS)
def test_what_is_no_list_of_motions_is_refused_in_one_line(what: str) -> None:
    given_motions, message = NOT_MOTIONS[what]
    with pytest.raises(InputError, match=rf"^[^\n]*{message}[^\n]*$"):
        as_features(given_motions)


@settings(max_examples=40)
@given(
    arrays(
        st.sampled_from([np.float32, np.float64, np.int64, np.uint8, np.bool_]),
        st.sampled_from([(0,), (5,), (3, 263), (1, 263), (3, 22, 3), (4, 24, 3), (2, 3, 22, 3)]),
    )
)
def test_any_array_gives_finite_features_or_one_line(array: np.ndarray) -> None:
    for check in (True, False):
        try:
            (features,) = as_features([array], check=check)
        except InputError as error:
            assert "\n" not in str(error)
        else:
            assert features.shape[1] == 263
            assert len(features) == len(array) - (array.ndim == 3)
