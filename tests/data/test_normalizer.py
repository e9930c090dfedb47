import numpy as np
import pytest
import torch

from tmr.data import Normalizer, statistics
from tmr.data.normalizer import STATISTICS
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


@pytest.mark.parametrize("save", [Normalizer.save, Normalizer.save_published])
def test_statistics_come_back_and_missing_ones_are_named(motions, tmp_path, save):
    normalizer = statistics(motions)
    save(normalizer, tmp_path)
    loaded = Normalizer.load(tmp_path)
    assert torch.equal(loaded.mean, normalizer.mean)
    assert torch.equal(loaded.std, normalizer.std)
    *_, last = sorted(tmp_path.iterdir())
    last.unlink()
    with pytest.raises(InputError, match=rf"no {last.name} in .*; run this"):
        Normalizer.load(tmp_path, "run this")


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "foreign"])
@pytest.mark.parametrize("name", ["statistics.safetensors", "mean.pt"])
def test_damaged_statistics_are_refused(motions, tmp_path, name, damage):
    normalizer = statistics(motions)
    (normalizer.save if name == STATISTICS else normalizer.save_published)(tmp_path)
    content = bytearray((tmp_path / name).read_bytes())
    content[content.index(normalizer.mean.numpy().tobytes()) + 3] ^= 0xFF
    whole = {"flipped": content, "cut": content[:99], "empty": b"", "foreign": b"mean: 0"}
    (tmp_path / name).write_bytes(whole[damage])
    with pytest.raises(InputError, match=rf"{name}.*run this"):
        Normalizer.load(tmp_path, "run this")


def test_statistics_that_do_not_belong_together_are_refused(tmp_path):
    for name, tensor in {"mean": torch.zeros(263), "std": torch.ones(251)}.items():
        torch.save(tensor, tmp_path / f"{name}.pt")
    with pytest.raises(InputError, match="263 and 251 columns"):
        Normalizer.load(tmp_path)
    for content in (torch.full((251,), torch.nan), {"mean": 0}, torch.ones(2, 251)):
        torch.save(content, tmp_path / "mean.pt")
        with pytest.raises(InputError, match=r"mean\.pt: expected finite numbers"):
            Normalizer.load(tmp_path)


@pytest.mark.parametrize("name", ["humanml3d", "kitml"])
def test_the_shipped_statistics_are_the_published_ones(root, shared, name):
    shipped = Normalizer.load(root / "stats" / name / "guoh3dfeats")
    published = Normalizer.load(shared / "data" / "stats" / name / "guoh3dfeats")
    assert torch.equal(shipped.mean, published.mean)
    assert torch.equal(shipped.std, published.std)


def test_statistics_of_nothing_are_refused():
    with pytest.raises(InputError, match="at least two frames"):
        statistics([])
