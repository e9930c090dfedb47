import numpy as np
import pytest
import torch

from tmr.data import Normalizer, statistics
from tmr.errors import InputError


@pytest.fixture
def motions() -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [1000 + random.normal(size=(n, 5)).astype(np.float32) for n in (3, 40, 7)]


def test_streamed_statistics_agree_with_all_frames_at_once(motions):
    normalizer = statistics(iter(motions))
    frames = np.concatenate(motions).astype(np.float64)
    assert normalizer.mean.numpy() == pytest.approx(frames.mean(axis=0), rel=1e-7)
    assert normalizer.std.numpy() == pytest.approx(frames.std(axis=0, ddof=1), rel=1e-6)


def test_normalized_frames_have_mean_0_and_deviation_1_and_come_back(motions):
    frames = torch.from_numpy(np.concatenate(motions))
    normalizer = statistics(motions)
    normal = normalizer(frames)
    assert normal.mean(dim=0) == pytest.approx(0, abs=1e-3)
    assert normal.std(dim=0) == pytest.approx(1, abs=1e-3)
    assert torch.allclose(normalizer.inverse(normal), frames)


def test_statistics_are_saved_and_missing_ones_named(motions, tmp_path):
    normalizer = statistics(motions)
    normalizer.save(tmp_path)
    loaded = Normalizer.load(tmp_path)
    assert torch.equal(loaded.mean, normalizer.mean)
    assert torch.equal(loaded.std, normalizer.std)
    (tmp_path / "std.pt").unlink()
    with pytest.raises(InputError, match=r"no std\.pt in .*; run this"):
        Normalizer.load(tmp_path, "run this")


def test_statistics_of_nothing_are_refused():
    with pytest.raises(InputError, match="at least two frames"):
        statistics([])
