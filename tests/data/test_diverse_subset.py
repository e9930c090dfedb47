import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tmr.data.diverse_subset import farthest_points


def slow(vectors: np.ndarray, count: int) -> list[int]:
    """Farthest points by a loop over all pairs."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    mean = np.mean(unit, axis=0)
    chosen = [min(range(len(unit)), key=lambda i: (float(unit[i] @ mean), i))]
    while len(chosen) < count:
        rest = [i for i in range(len(unit)) if i not in chosen]
        chosen.append(min(rest, key=lambda i: (max(float(unit[i] @ unit[j]) for j in chosen), i)))
    return chosen


def test_the_choice_is_that_of_a_loop_over_all_pairs():
    vectors = np.random.default_rng(0).normal(size=(60, 5))
    assert farthest_points(vectors, 12) == slow(vectors, 12)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 30))
def test_any_beginning_of_the_choice_is_the_choice_of_that_size(seed, count):
    vectors = np.random.default_rng(seed).normal(size=(30, 4)).astype(np.float32)
    chosen = farthest_points(vectors, 30)
    assert farthest_points(vectors, count) == chosen[:count]
    assert sorted(chosen) == list(range(30))


def test_every_row_is_near_a_chosen_one_or_the_choice_could_be_no_better():
    """The radius of the choice is at most twice the best, so clusters are all found."""
    rng = np.random.default_rng(1)
    centers = np.eye(10)
    vectors = np.repeat(centers, 20, axis=0) + 0.01 * rng.normal(size=(200, 10))
    chosen = farthest_points(vectors, 10)
    assert sorted(i // 20 for i in chosen) == list(range(10))


def test_repeated_captions_are_chosen_once():
    vectors = np.repeat(np.eye(3), 4, axis=0)
    assert sorted(i // 4 for i in farthest_points(vectors, 12)) == [0, 1, 2]
    assert len(farthest_points(vectors[:1], 5)) == 1
