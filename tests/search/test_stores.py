from typing import Any

import numpy as np
import pytest
import torch

from tmr.search.entry import Entry, TakeInfo
from tmr.search.filters import parse_filter
from tmr.search.stores import Header, Store, factory
from tmr.search.stores.factory import create_store, open_store, outgrown

pytest.importorskip("lance", reason="pylance is not installed")
from tmr.search.stores import lance as lance_module
from tmr.search.stores.lance import LanceStore

DIM = 32
HEADER = Header("takes", "model", "fingerprint", DIM)


def clustered(rows: int) -> tuple[list[Entry], torch.Tensor]:
    """Rows in forty clusters, each in a folder of its own."""
    random = np.random.default_rng(0)
    clusters = np.arange(rows) % 40
    latents = 2 * random.normal(size=(40, DIM))[clusters] + random.normal(size=(rows, DIM))
    takes = [TakeInfo(f"{c}/{row}", f"{c}/{row}.bvh") for row, c in enumerate(clusters)]
    return [Entry(take, 0, 2) for take in takes], torch.from_numpy(latents).float()


def keys_of(store: Store, query: torch.Tensor, where: str = "") -> list[str]:
    return [entry.key for _, entry in store.search(query, 12, parse_filter(where))]


def test_the_index_finds_what_exact_search_finds(tmp_path, monkeypatch):
    monkeypatch.setattr(lance_module, "EXACT_BELOW", 500)
    monkeypatch.setattr(lance_module, "ROWS_PER_LIST", 200)
    entries, latents = clustered(2000)
    exact = create_store(HEADER, None)
    indexed = create_store(HEADER, tmp_path, "lance")
    for store in (exact, indexed):
        store.replace([], entries[:1900], latents[:1900])
    assert isinstance(indexed, LanceStore)
    indexed.index()
    for store in (exact, indexed):  # later rows are found before they are indexed
        store.replace(["0/0", "1/1"], entries[1900:], latents[1900:])
    for where in ("", "starts_with(file, '7/')", "length > 1"):
        shares = [
            len({*keys_of(exact, query, where)} & {*keys_of(indexed, query, where)}) / 12
            for query in latents[1880:1920]
        ]
        assert np.mean(shares) >= 0.97
        if "7/" in where:
            assert min(shares) == 1
    indexed.index()
    assert keys_of(indexed, latents[1950])[0] == entries[1950].key
    assert len(indexed) == len(exact) == 1998


def test_a_handle_sees_what_another_has_written(tmp_path):
    first = create_store(HEADER, tmp_path, "lance")
    second = open_store(tmp_path)
    assert second is not None
    entries, latents = clustered(4)
    second.replace([], entries, latents)
    assert len(first) == 4 and keys_of(first, latents[2])[0] == "2/2"
    version = first.version
    first.replace(["2/2"], [], latents[:0])
    assert second.count(parse_filter("key = '2/2'")) == 0
    assert second.version != version


def test_many_small_additions_are_compacted(tmp_path, monkeypatch):
    monkeypatch.setattr(lance_module, "MAX_FRAGMENTS", 4)
    store = LanceStore.create(HEADER, tmp_path)
    entries, latents = clustered(12)
    for row in range(12):
        store.replace([], entries[row : row + 1], latents[row : row + 1])
    assert len(store.latest().get_fragments()) <= 5
    assert {entry.key for entry in store.entries()} == {entry.key for entry in entries}


def test_a_library_that_outgrows_memory_is_moved_to_lance(tmp_path, monkeypatch):
    monkeypatch.setattr(factory, "EXACT_ROWS", 10)
    entries, latents = clustered(20)
    store = create_store(HEADER, tmp_path)
    store.replace([], entries[:10], latents[:10])
    assert outgrown(store, tmp_path) is store
    store.replace([], entries[10:], latents[10:])
    moved = outgrown(store, tmp_path)
    assert isinstance(moved, LanceStore) and isinstance(open_store(tmp_path), LanceStore)
    assert keys_of(moved, latents[13]) == keys_of(store, latents[13])
    assert [path.name for path in tmp_path.iterdir()] == ["rows.lance"]


def test_without_lance_a_store_in_lance_says_what_to_install(tmp_path, monkeypatch):
    def missing(name: str, *rest: Any) -> Any:
        if name == "tmr.search.stores.lance":
            raise ImportError(name)
        return real(name, *rest)

    import builtins

    real = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", missing)
    for act in (
        lambda: create_store(HEADER, tmp_path, "lance"),
        lambda: open_store("s3://bucket/library"),
    ):
        with pytest.raises(ValueError, match="pip install pylance"):
            act()
    assert len(create_store(HEADER, tmp_path)) == 0
