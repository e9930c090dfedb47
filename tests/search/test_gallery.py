import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tmr.errors import InputError
from tmr.search.approximate import FaissIndex
from tmr.search.gallery import Gallery, Item

DIM = 8


def item(number: int, seconds: float = 3.0, splits: tuple[str, ...] = ("train",)) -> Item:
    return Item(
        key=f"k{number}",
        path=f"folder/{number}",
        captions=(f"caption {number}", "et voilà, naïve, 歩く"),
        start=1.5,
        end=1.5 + seconds,
        splits=splits,
        stamp=number,
    )


def gallery(count: int, seed: int = 0, fingerprint: str = "weights") -> Gallery:
    generator = torch.Generator().manual_seed(seed)
    latents = 5 * torch.randn(count, DIM, generator=generator)
    return Gallery.of([item(number) for number in range(count)], latents, fingerprint)


def best_by_loop(query: torch.Tensor, latents: torch.Tensor, top: int) -> list[int]:
    cosines = [float(torch.cosine_similarity(query, latent, dim=0)) for latent in latents]
    return sorted(range(len(latents)), key=lambda row: -cosines[row])[:top]


def test_search_agrees_with_a_loop_over_all_items():
    found = gallery(30)
    queries = torch.randn(20, DIM, generator=torch.Generator().manual_seed(1))
    cosines, rows = found.search(queries, top=7)
    for query, row, cosine in zip(queries, rows.tolist(), cosines, strict=True):
        assert row == best_by_loop(query, found.latents, 7)
        expected = [torch.cosine_similarity(query, found.latents[r], dim=0) for r in row]
        torch.testing.assert_close(cosine, torch.stack(expected))


def test_an_item_finds_itself_first_with_the_score_one():
    found = gallery(30)
    hits = found.find(found.latents[12], top=3)
    assert (hits[0].row, hits[0].item) == (12, item(12))
    assert hits[0].score == pytest.approx(1.0, abs=1e-6)
    assert hits[0].score >= hits[1].score >= hits[2].score


def test_latents_of_any_length_count_by_their_direction_only():
    latents = torch.randn(20, DIM)
    items = [item(number) for number in range(20)]
    scaled = Gallery.of(items, latents * torch.rand(20, 1).add(0.1))
    torch.testing.assert_close(scaled.latents, Gallery.of(items, latents).latents)


def test_filters_leave_only_what_they_say():
    items = [
        item(0, seconds=2, splits=("train",)),
        item(1, seconds=9, splits=("train", "all")),
        item(2, seconds=9, splits=("test", "all")),
        item(3, seconds=1, splits=("test",)),
    ]
    found = Gallery.of(items, torch.eye(4))
    assert found.where("train").tolist() == [True, True, False, False]
    assert found.where("all", min_seconds=5).tolist() == [False, True, True, False]
    assert found.where(min_seconds=2).tolist() == [True, True, True, False]
    assert found.where(without=["k1", "unknown"]).tolist() == [True, False, True, True]
    _, rows = found.search(torch.ones(1, 4), top=4, where=found.where("test"))
    assert sorted(rows[0].tolist()) == [2, 3]
    with pytest.raises(InputError, match="split 'tset' here; splits found: all, test, train"):
        found.where("tset")


def test_more_results_than_items_gives_all_items():
    assert len(gallery(3).find(torch.ones(DIM), top=10)) == 3
    nothing = gallery(3).where(min_seconds=100)
    assert gallery(3).find(torch.ones(DIM), top=10, where=nothing) == []


def test_a_saved_gallery_comes_back_whole_and_mapped(tmp_path):
    saved = gallery(50)
    saved.save(tmp_path / "g.safetensors")
    loaded = Gallery.load(tmp_path / "g.safetensors", "weights")
    assert loaded is not None
    assert list(loaded) == list(saved) == [item(number) for number in range(50)]
    assert torch.equal(loaded.latents, saved.latents)
    assert (loaded.version, loaded.split_names) == (saved.version, ("train",))
    assert [path.name for path in tmp_path.iterdir()] == ["g.safetensors"]


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="needs Linux's /proc")
def test_an_opened_gallery_takes_no_memory_of_its_own(tmp_path):
    def private_megabytes() -> float:
        status = Path("/proc/self/status").read_text()
        return int(status.split("RssAnon:")[1].split()[0]) / 1024

    latents = torch.zeros(30_000, 256)  # 30 MB
    latents[:, 0] = 1
    Gallery.of([Item(key=str(number)) for number in range(30_000)], latents).save(
        tmp_path / "g.safetensors"
    )
    del latents
    before = private_megabytes()
    loaded = Gallery.load(tmp_path / "g.safetensors", "")
    assert loaded is not None
    loaded.find(torch.ones(256), top=5)
    assert private_megabytes() - before < 10


def test_a_gallery_of_other_weights_is_not_used(tmp_path, caplog):
    gallery(5, fingerprint="old").save(tmp_path / "g.safetensors")
    with caplog.at_level("INFO"):
        assert Gallery.load(tmp_path / "g.safetensors", "new") is None
    assert "other weights" in caplog.text
    assert Gallery.load(tmp_path / "missing.safetensors", "new") is None


@pytest.mark.parametrize("size", [0, 4, 100, 2000])
def test_a_cut_file_is_damaged_and_not_used(tmp_path, caplog, size):
    path = tmp_path / "g.safetensors"
    gallery(50).save(path)
    os.truncate(path, size)
    assert Gallery.load(path, "weights") is None
    assert "is damaged" in caplog.text


def test_a_file_with_other_tensors_is_damaged_and_not_used(tmp_path):
    from safetensors.torch import save_file

    save_file({"latents": torch.zeros(1, 2)}, tmp_path / "g.safetensors")
    assert Gallery.load(tmp_path / "g.safetensors", "weights") is None


def test_added_items_are_found_and_removed_ones_are_not():
    start = gallery(10)
    more = [item(number, splits=("test",)) for number in (20, 21)]
    latents = torch.randn(2, DIM)
    grown = start.add(more, latents)
    assert [i.key for i in grown] == [*(f"k{n}" for n in range(10)), "k20", "k21"]
    assert grown.find(latents[1], top=1)[0].item == more[1]
    assert grown.where("test").tolist() == [False] * 10 + [True] * 2
    shrunk = grown.remove(["k21", "k3", "unknown"])
    assert [i.key for i in shrunk] == [f"k{n}" for n in (0, 1, 2, 4, 5, 6, 7, 8, 9, 20)]
    assert torch.equal(shrunk.latents[3], start.latents[4])
    assert shrunk.fingerprint == start.fingerprint
    assert len(start) == 10
    assert len({start.version, grown.version, shrunk.version}) == 3


def test_an_added_item_replaces_the_one_with_its_key():
    changed = replace(item(4), captions=("new",))
    grown = gallery(10).add([changed], torch.eye(DIM)[:1])
    assert len(grown) == 10
    assert grown[grown.rows["k4"]] == changed
    torch.testing.assert_close(grown.latents[grown.rows["k4"]], torch.eye(DIM)[0])


def test_an_emptied_gallery_can_be_saved_searched_and_filled(tmp_path):
    empty = gallery(2).remove(["k0", "k1"])
    empty.save(tmp_path / "g.safetensors")
    loaded = Gallery.load(tmp_path / "g.safetensors", "weights")
    assert loaded is not None
    assert loaded.find(torch.ones(DIM), top=3) == []
    assert [i.key for i in loaded.add([item(7)], torch.ones(1, DIM))] == ["k7"]


@pytest.fixture(scope="module")
def clustered() -> Gallery:
    """20,000 latents of 32 around 200 centers."""
    random = np.random.default_rng(0)
    centers = random.normal(size=(200, 32))
    latents = centers[random.integers(200, size=20_000)] + 0.4 * random.normal(size=(20_000, 32))
    items = [
        Item(key=str(n), splits=("rare",) if n % 50 == 0 else ("common",)) for n in range(20_000)
    ]
    return Gallery.of(items, torch.from_numpy(latents))


def overlap(found: torch.Tensor, exact: torch.Tensor) -> float:
    pairs = zip(found.tolist(), exact.tolist(), strict=True)
    return float(np.mean([len({*a} & {*b}) / len(b) for a, b in pairs]))


def test_the_index_finds_nearly_what_comparing_all_finds(clustered, tmp_path):
    index = FaissIndex.of(clustered, tmp_path / "g.faiss")
    queries = clustered.latents[::400] + 0.05 * torch.randn(50, 32)
    cosines, rows = index.search(queries, top=10)
    exact_cosines, exact_rows = clustered.search(queries, top=10)
    assert overlap(rows, exact_rows) > 0.95
    torch.testing.assert_close(cosines[:, 0], exact_cosines[:, 0])
    assert (cosines.diff(dim=1) <= 0).all()


@pytest.mark.parametrize("split", ["rare", "common"])
def test_the_index_keeps_to_the_filter(clustered, tmp_path, split):
    index = FaissIndex.of(clustered, tmp_path / "g.faiss")
    where = clustered.where(split)
    queries = clustered.latents[::2000]
    _, rows = index.search(queries, top=10, where=where)
    assert where[rows].all()
    assert overlap(rows, clustered.search(queries, 10, where)[1]) > 0.95


def test_an_index_of_few_items_is_exact(tmp_path):
    few = gallery(20)
    index = FaissIndex.of(few, tmp_path / "g.faiss")
    queries = torch.randn(5, DIM)
    assert torch.equal(index.search(queries, 20)[1], few.search(queries, 20)[1])


def test_an_index_of_another_content_is_made_again(tmp_path):
    start = gallery(80)
    FaissIndex.of(start, tmp_path / "g.faiss")
    (first,) = tmp_path.iterdir()
    written = first.stat().st_mtime_ns
    FaissIndex.of(start, tmp_path / "g.faiss")
    assert first.stat().st_mtime_ns == written
    grown = start.add([item(99)], torch.ones(1, DIM))
    index = FaissIndex.of(grown, tmp_path / "g.faiss")
    assert not first.exists()
    assert grown.find(torch.ones(DIM), 1, index=index)[0].item.key == "k99"
