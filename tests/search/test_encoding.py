import multiprocessing
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("lance", reason="pylance is not installed")

from tests.search.conftest import LoadRun, features
from tmr.api import Model
from tmr.errors import InputError
from tmr.search import encoding
from tmr.search.encoding import Batch, Written, encode_batch, encode_library, in_share
from tmr.search.engines import Processes
from tmr.search.entry import Entry, TakeInfo
from tmr.search.filters import parse_filter
from tmr.search.library import Library
from tmr.search.sources import FolderSource
from tmr.search.stores import Header
from tmr.search.stores import lance as lance_module
from tmr.search.stores.lance import LanceStore

NUMBERS = range(7)


class InThisProcess:
    """An engine without processes of its own."""

    def run(self, batches: Iterable[Batch]) -> Iterator[Written]:
        return map(encode_batch, batches)


@pytest.fixture
def takes(tmp_path: Path) -> FolderSource:
    """Seven motions of 2 to 5 seconds, and a file that is none."""
    folder = tmp_path / "takes"
    folder.mkdir()
    for seed in NUMBERS:
        np.save(folder / f"take {seed}.npy", features(seed, 40 + 10 * seed))
    (folder / "broken.bvh").write_text("nothing")
    return FolderSource(folder)


@pytest.fixture
def load_run(model: Model, monkeypatch: pytest.MonkeyPatch) -> LoadRun:
    monkeypatch.setattr(encoding, "FILES_PER_BATCH", 2)
    return LoadRun(model.run.root)


def rows_of(library: Library) -> dict[tuple[str, float, float], torch.Tensor]:
    """The latent of each row; no row may be there twice."""
    found = {}
    for entries, latents in library.store.scan():
        for entry, latent in zip(entries, latents, strict=True):
            place = (entry.key, entry.start, entry.window)
            assert place not in found
            found[place] = latent
    return found


def expected_rows(model: Model, takes: FolderSource) -> dict:
    return rows_of(Library.of_folder(takes.folder, model, windows=[1.0]))


def assert_same_rows(found: dict, expected: dict) -> None:
    assert found.keys() == expected.keys()
    for place, latent in found.items():
        torch.testing.assert_close(latent, expected[place], atol=1e-5, rtol=0)


def test_a_killed_worker_costs_no_file_and_writes_none_twice(takes, load_run, model, tmp_path):
    deadly = LoadRun(load_run.run, tmp_path / "killed")
    path = tmp_path / "library"
    seen = []
    outcome = encode_library(
        takes, deadly, path, Processes(1), windows=[1.0],
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    assert deadly.deadly is not None and deadly.deadly.exists()
    library = Library.open(path, model)
    assert_same_rows(rows_of(library), expected_rows(model, takes))
    assert (outcome.encoded, outcome.rows, outcome.held) == (7, len(library), 0)
    assert seen[-1] == (8, 8)
    assert outcome.skipped.keys() == {"broken.bvh"}
    report = (path / "skipped.csv").read_text().splitlines()
    assert report[0] == "file,reason" and report[1].startswith("broken.bvh,")


def test_an_interrupted_encoding_resumes_with_what_is_missing(
    takes, load_run, model, tmp_path, monkeypatch
):
    monkeypatch.setattr(encoding, "COMMIT_SECONDS", 0)
    path = tmp_path / "library"

    def interrupt(done: int, total: int) -> None:
        if done >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode_library(takes, load_run, path, InThisProcess(), windows=[1.0], progress=interrupt)
    np.save(takes.folder / "take 0.npy", features(70, 60))
    (takes.folder / "take 1.npy").unlink()
    outcome = encode_library(takes, load_run, path, InThisProcess(), windows=[1.0])
    assert 1 <= outcome.held <= 3 and outcome.held + outcome.encoded == 6
    assert_same_rows(rows_of(Library.open(path, model)), expected_rows(model, takes))
    assert encode_library(takes, load_run, path, InThisProcess(), windows=[1.0]).encoded == 0


def test_shares_together_encode_every_file_once(takes, load_run, model, tmp_path):
    path = tmp_path / "library"
    outcomes = [
        encode_library(takes, load_run, path, InThisProcess(), windows=[1.0], share=(part, 3))
        for part in range(3)
    ]
    assert sum(outcome.encoded for outcome in outcomes) == 7
    assert_same_rows(rows_of(Library.open(path, model)), expected_rows(model, takes))


class WithAnother:
    """An engine during whose work another parent encodes the same source from first to last."""

    def __init__(self, source: FolderSource, make_encoder: LoadRun, path: Path) -> None:
        self.arguments = source, make_encoder, path

    def run(self, batches: Iterable[Batch]) -> Iterator[Written]:
        written = [encode_batch(batch) for batch in batches]
        encode_library(*self.arguments, InThisProcess(), windows=[1.0])
        return iter(written)


def test_two_parents_at_once_write_every_row_once(takes, load_run, model, tmp_path, caplog):
    arguments = takes, load_run, tmp_path / "library"
    encode_library(*arguments, WithAnother(*arguments), windows=[1.0])
    assert_same_rows(rows_of(Library.open(arguments[2], model)), expected_rows(model, takes))
    assert "7 takes were written by another process too" in caplog.text


def test_every_key_is_in_one_share():
    parts = Counter(
        part for number in range(900) for part in range(3) if in_share(f"k{number}", (part, 3))
    )
    assert parts.total() == 900 and min(parts.values()) > 250


def test_a_folder_without_a_motion_is_refused(load_run, tmp_path):
    (tmp_path / "takes").mkdir()
    (tmp_path / "takes" / "broken.bvh").write_text("nothing")
    source = FolderSource(tmp_path / "takes")
    with pytest.raises(InputError, match=r"no file can be used, 1 skipped; broken\.bvh: "):
        encode_library(source, load_run, tmp_path / "library", InThisProcess())


@pytest.fixture(scope="module")
def bucket():
    """A bucket of object storage on this machine."""
    server_module = pytest.importorskip("moto.server", reason="moto is not installed")
    boto3 = pytest.importorskip("boto3", reason="boto3 is not installed")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ENDPOINT": f"http://{host}:{port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        boto3.client(
            "s3", endpoint_url=settings["AWS_ENDPOINT"], region_name="us-east-1"
        ).create_bucket(Bucket="motions")
        yield "s3://motions/studio/library"
    server.stop()


def add_rows(path: str, name: str, times: int) -> None:
    """Append rows to a library, one commit each: in a process of its own."""
    store = LanceStore.open(path)
    assert store is not None
    for number in range(times):
        entry = Entry(TakeInfo(f"{name} {number}", tags=(name,)), 0, 1 + number)
        latent = torch.zeros(1, 4)
        latent[0, number % 4] = 1
        store.replace([], [entry], latent)


def test_two_processes_share_a_library_on_object_storage(bucket, monkeypatch):
    monkeypatch.setattr(lance_module, "EXACT_BELOW", 10)  # so that it is indexed
    header = Header("studio", "model", "fingerprint", 4)
    store = LanceStore.create(header, bucket)
    other = multiprocessing.get_context("spawn").Process(target=add_rows, args=(bucket, "other", 6))
    other.start()
    add_rows(bucket, "this", 6)
    other.join()
    assert other.exitcode == 0
    assert len(store) == 12
    store.index()
    (index,) = [index for index in store.latest().describe_indices() if "latent" in index.name]
    assert index.index_type == "IVF_SQ"
    query = torch.tensor([0.0, 0.0, 1.0, 0.0])
    found = store.search(query, 2)
    assert {entry.key for _, entry in found} == {"other 2", "this 2"}
    assert [cosine for cosine, _ in found] == pytest.approx([1, 1], abs=1e-6)
    (hit,) = store.search(query, 1, parse_filter("tag = 'other' and length > 3"))
    assert hit[1].key == "other 3" or hit[1].take.tags == ("other",)
    store.replace([f"other {number}" for number in range(6)], [], torch.empty(0, 4))
    again = LanceStore.open(bucket)
    assert again is not None and again.header == header
    assert {entry.take.tags for entry in again.entries()} == {("this",)}
