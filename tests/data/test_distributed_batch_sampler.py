import pytest
from torch.utils.data import BatchSampler, SequentialSampler

from tmr.data.samplers import DistributedBatchSampler, LengthBucketSampler

LENGTHS = [[40 + i, 60] for i in range(67)]


def batches(seed: int = 1) -> LengthBucketSampler:
    return LengthBucketSampler(LENGTHS, batch_size=16, pool=1, seed=seed)


@pytest.mark.parametrize("world", [1, 2, 3, 5])
def test_shares_of_all_processes_are_the_batches_of_one(world):
    whole = batches()
    for epoch in (0, 1):
        whole.set_epoch(epoch)
        shares = [DistributedBatchSampler(batches(), rank, world) for rank in range(world)]
        for share in shares:
            share.set_epoch(epoch)
        taken = [list(share) for share in shares]
        for number, batch in enumerate(whole):
            parts = [
                part[number]
                for share, part in zip(shares, taken, strict=True)
                if number not in share.placeholder_batches
            ]
            assert sorted(index for part in parts for index in part) == sorted(batch)
            assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_every_process_takes_as_many_steps_and_what_stands_in_is_marked():
    """67 samples leave a last batch of 3: two of five processes have no share of it."""
    shares = [DistributedBatchSampler(batches(), rank, 5) for rank in range(5)]
    assert [len(list(share)) for share in shares] == [5] * 5
    assert all(part for share in shares for part in share)
    (small,) = [n for n, batch in enumerate(batches()) if len(batch) == 3]
    assert [share.placeholder_batches for share in shares] == [set()] * 3 + [{small}] * 2


def test_a_pass_can_start_in_the_middle_and_the_next_one_is_whole():
    share, undisturbed = (DistributedBatchSampler(batches(), 1, 2) for _ in range(2))
    share.start_at(3)
    assert list(share) == list(undisturbed)[3:]
    assert list(share) == list(undisturbed)
    assert len(share) == 5


def test_numbers_of_stand_ins_are_those_of_the_whole_pass():
    order = BatchSampler(SequentialSampler(range(9)), batch_size=4, drop_last=False)
    share = DistributedBatchSampler(order, 1, 2)
    share.start_at(1)
    assert list(share) == [[5, 7], [8]]
    assert share.placeholder_batches == {2}
