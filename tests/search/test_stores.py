import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from site import getsitepackages as site_packages

import numpy as np
import pytest
import torch

import tmr
from tmr.search.entry import Entry, TakeInfo
from tmr.search.filters import parse_filter
from tmr.search.stores import Header, Store, factory, memory
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
    (index,) = indexed.latest().stats.index_stats("latent_idx")["indices"]
    assert index["num_partitions"] == 9  # of 1,900 rows, some 200 each
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


def test_rows_of_the_smaller_store_are_not_left_beside_lances(tmp_path):
    (tmp_path / memory.FILE).write_bytes(b"those of before")
    LanceStore.create(HEADER, tmp_path)
    assert not (tmp_path / memory.FILE).exists()


def test_copies_of_a_take_are_dropped_but_for_the_last(tmp_path):
    header = Header("takes", "model", "fingerprint", DIM, windows=(1.0,))
    writers = [LanceStore.create(header, tmp_path) for _ in range(2)]

    def write(writer: LanceStore, take: TakeInfo, seconds: int) -> None:
        spans = [(0, seconds, 0), *((second, second + 1, 1.0) for second in range(seconds))]
        rows = [Entry(take, *span) for span in spans]
        writer.replace([], rows, torch.randn(len(rows), DIM))

    once, twice = TakeInfo("once", stamp="a"), TakeInfo("twice", stamp="a")
    write(writers[0], once, 3)
    for writer in writers:
        write(writer, twice, 3)
    write(writers[1], TakeInfo("changed", stamp="old"), 4)
    write(writers[0], TakeInfo("changed", stamp="new"), 2)
    assert writers[1].drop_copies() == 2
    assert writers[0].drop_copies() == 0
    counts = Counter((entry.key, entry.take.stamp) for entry in writers[0].entries())
    assert counts == {("once", "a"): 4, ("twice", "a"): 4, ("changed", "new"): 3}


@pytest.mark.parametrize("kind", ["memory", "lance"])
def test_the_best_cosines_and_the_values_are_those_of_all_rows(kind, tmp_path):
    entries, latents = clustered(60)
    takes = [replace(e.take, tags=(f"t{row % 3}", "all")) for row, e in enumerate(entries)]
    store = create_store(HEADER, tmp_path, kind)
    store.replace([], [Entry(take, 0, 2) for take in takes], latents)
    assert store.values("tag") == {"t0", "t1", "t2", "all"} and store.values("split") == set()
    queries = torch.nn.functional.normalize(torch.randn(3, DIM), dim=-1)
    cosines = torch.cosine_similarity(queries[:, None], latents[None], dim=-1)
    for where, rows in (("", slice(None)), ("tag = 't1'", slice(1, None, 3))):
        expected = cosines[:, rows].amax(dim=-1)
        torch.testing.assert_close(store.best(queries, parse_filter(where)), expected)


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


def test_without_its_packages_everything_small_works(tmp_path):
    """In a process for which only those are installed that tmr cannot do without."""
    optional = ("lance", "pylance", "lancedb", "ray", "moto", "boto3")
    site = tmp_path / "site-packages"
    site.mkdir()
    for place in map(Path, site_packages()):
        for entry in place.iterdir():
            if not entry.name.startswith(optional) and not (site / entry.name).exists():
                (site / entry.name).symlink_to(entry)
    (tmp_path / "takes").mkdir()
    np.save(tmp_path / "takes" / "a.npy", np.random.default_rng(0).normal(size=(60, 263)))
    environment = os.environ | {"PYTHONPATH": f"{Path(tmr.__file__).parents[1]}:{site}"}
    done = subprocess.run(
        [sys.executable, "-S", "-c", WITHOUT_EXTRA], cwd=tmp_path, env=environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


WITHOUT_EXTRA = """
import importlib.util, types, torch
from tmr.errors import InputError
from tmr.search.library import Library
from tmr.search.stores.factory import open_store

assert not any(map(importlib.util.find_spec, ("lance", "ray")))

class Encoder:
    name, fingerprint, dim, text_model = "mean", "mean", 263, None
    def encode_texts(self, texts, *, embeddings=None):
        return torch.ones(len(texts), 263)
    def encode_motions(self, motions, *, check=True):
        return torch.stack([torch.from_numpy(motion).float().mean(dim=0) for motion in motions])

library = Library.of_folder("takes", Encoder(), "kept", windows=[1.0])
assert len(library) == 6 and library.search("walk")[0].entry.key == "a"
assert library.moments("walk", seconds=1, where="length >= 1")
assert len(Library.open("kept", Encoder())) == 6
for act in (
    lambda: Library.of_folder("takes", Encoder(), "other", store="lance"),
    lambda: open_store("s3://bucket/library"),
):
    try:
        act()
    except InputError as error:
        assert "pip install pylance" in str(error)
    else:
        raise AssertionError
"""
