"""Each change that augmentation makes, against what it says."""

import torch

from tmr.data import Normalizer
from tmr.motion.features import CONTACTS, POSITIONS, ROOT_VELOCITY, TURN_RATE, VELOCITIES
from tmr.sequences import Packed
from tmr.training.augmentation import Augmentation, resampled

LENGTHS = (40, 9, 200)


def normalizer() -> Normalizer:
    torch.manual_seed(3)
    return Normalizer(torch.randn(263), 0.5 + torch.rand(263))


def motion() -> Packed:
    torch.manual_seed(4)
    return Packed(torch.randn(sum(LENGTHS), 263), LENGTHS)


def test_nothing_is_changed_without_options() -> None:
    before = motion()
    after = Augmentation()(before, normalizer())
    assert after.lengths == before.lengths
    assert torch.equal(after.x, before.x)


def test_a_motion_twice_as_fast_has_every_other_frame_and_twice_the_velocity() -> None:
    stats = normalizer()
    before = motion()
    after = resampled(before, stats, torch.zeros(3), torch.full((3,), 2.0), (20, 5, 100))
    raw, fast = (stats.inverse(m.x) for m in (before, after))
    rows = [*range(0, 40, 2), *range(40, 49, 2), *range(49, 249, 2)]
    still = torch.ones(263, dtype=torch.bool)
    for columns in (TURN_RATE, ROOT_VELOCITY, VELOCITIES):
        still[columns] = False
        torch.testing.assert_close(
            fast[:, columns], 2 * raw[rows][:, columns], rtol=1e-4, atol=1e-4
        )
    torch.testing.assert_close(fast[:, still], raw[rows][:, still], rtol=1e-4, atol=1e-4)


def test_between_frames_is_interpolated() -> None:
    x = torch.arange(10.0)[:, None].repeat(1, 263)
    still = Normalizer(torch.zeros(263), torch.ones(263))
    after = resampled(Packed(x, (10,)), still, torch.tensor([1.5]), torch.tensor([0.5]), (6,))
    expected = torch.tensor([1.5, 2.0, 2.5, 3.0, 3.5, 4.0])
    torch.testing.assert_close(after.x[:, POSITIONS.start], expected)


def test_crops_and_speeds_stay_inside_the_motion() -> None:
    augmentation = Augmentation(speed=0.5, crop=0.3, crop_probability=1.0)
    x = torch.arange(40.0)[:, None].repeat(1, 263)
    still = Normalizer(torch.zeros(263), torch.ones(263))
    lengths = set()
    for seed in range(50):
        torch.manual_seed(seed)
        after = augmentation(Packed(x, (40,)), still)
        place = after.x[:, POSITIONS.start]
        assert float(place.min()) >= 0
        assert float(place.max()) <= 39
        steps = place.diff()
        assert float(steps.min()) >= 0.6
        assert float(steps.max()) <= 1.66
        lengths |= set(after.lengths)
    assert len(lengths) > 10
    assert min(lengths) >= 8


def test_dropped_features_are_at_their_mean() -> None:
    torch.manual_seed(0)
    after = Augmentation(drop=1.0, drop_turn=0.0)(motion(), normalizer())
    assert bool((after.x[:, CONTACTS] == 0).all())
    assert torch.equal(after.x[:, POSITIONS], motion().x[:, POSITIONS])
    assert torch.equal(after.x[:, TURN_RATE], motion().x[:, TURN_RATE])


def test_offsets_are_those_of_a_motion_and_of_postures_only() -> None:
    torch.manual_seed(0)
    moved = Augmentation(offset=0.25)(motion(), normalizer()).x - motion().x
    first, second, third = moved.split(LENGTHS)
    for part in (first, second, third):
        torch.testing.assert_close(part, part[:1].expand_as(part), rtol=0, atol=1e-5)
    assert not torch.allclose(first[0], second[0])
    assert float(moved[:, VELOCITIES].abs().max()) == 0
    assert 0.2 < float(third[0, POSITIONS].std()) < 0.3


def test_the_same_state_of_the_generator_gives_the_same_motion() -> None:
    augmentation = Augmentation(0.18, 0.8, 0.5, 0.1, 0.25, 0.1, 0.15, 0.05)
    torch.manual_seed(9)
    first = augmentation(motion(), normalizer())
    torch.manual_seed(9)
    second = augmentation(motion(), normalizer())
    assert first.lengths == second.lengths
    assert torch.equal(first.x, second.x)
