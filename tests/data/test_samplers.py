import numpy as np
import pytest

from tmr.data.samplers import LengthBucketSampler


@pytest.fixture
def lengths() -> list[list[int]]:
    """Frames of HumanML3D's length distribution, three captions a motion."""
    random = np.random.default_rng(0)
    whole = np.clip(random.normal(140, 55, size=3000), 40, 199).astype(int)
    return [[int(n), int(n), max(int(n) // 2, 40)] for n in whole]


def fill(sampler: LengthBucketSampler) -> float:
    """Share of a batch's frames that are not padding."""
    batches = [[sampler.lengths[m][c] for m, c in batch] for batch in sampler]
    return sum(map(sum, batches)) / sum(len(b) * max(b) for b in batches)


def test_the_same_seed_and_epoch_give_the_same_batches_and_others_do_not(lengths):
    first, second = (LengthBucketSampler(lengths, 32, 8, seed=1) for _ in range(2))
    assert list(first) == list(second)
    second.set_epoch(1)
    assert list(first) != list(second)
    assert list(first) != list(LengthBucketSampler(lengths, 32, 8, seed=2))


def test_every_motion_comes_once_an_epoch(lengths):
    sampler = LengthBucketSampler(lengths, 32, 8, seed=0)
    batches = list(sampler)
    assert len(batches) == len(sampler) == 94
    assert sorted(m for batch in batches for m, _ in batch) == list(range(3000))


def test_pools_waste_little_and_one_batch_pools_are_plain_shuffling(lengths):
    assert fill(LengthBucketSampler(lengths, 32, 8, seed=0)) > 0.9
    assert fill(LengthBucketSampler(lengths, 32, 1, seed=0)) < 0.75


def test_two_motions_of_different_length_still_meet(lengths):
    """Over epochs a short motion shares batches with motions from most of the length range."""
    sampler = LengthBucketSampler(lengths, 32, 8, seed=0)
    met = set()
    for epoch in range(20):
        sampler.set_epoch(epoch)
        batch = next(b for b in sampler if any(m == 17 for m, _ in b))
        met |= {m for m, _ in batch}
    assert len(met) > 400
