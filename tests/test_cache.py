"""Caches: used when made from the very same, whole and ours; otherwise as good as none."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.damage import damaged
from tmr import cache

MADE_FROM = cache.fingerprint("test", 1, files={"a": "12"}, step=0.5)
TENSORS = {"x": torch.arange(600, dtype=torch.float32).reshape(20, 30), "ends": torch.arange(7)}
RECORD = {"names": ["walk", "señal", "走"], "fps": 20}


def same(held: cache.CacheFile) -> bool:
    equal = all(torch.equal(held.tensors[name], tensor) for name, tensor in TENSORS.items())
    return equal and held.tensors.keys() == TENSORS.keys() and held.record == RECORD


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "below" / "x.safetensors"
    assert cache.read(path, MADE_FROM) is None
    assert cache.write(path, TENSORS, RECORD, MADE_FROM)
    held = cache.read(path, MADE_FROM)
    assert held is not None
    assert same(held)
    assert [p.name for p in path.parent.iterdir()] == ["x.safetensors"]


def test_a_cache_made_from_something_else_is_none(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    cache.write(path, TENSORS, RECORD, MADE_FROM)
    others = [
        cache.fingerprint("test", 2, files={"a": "12"}, step=0.5),
        cache.fingerprint("tests", 1, files={"a": "12"}, step=0.5),
        cache.fingerprint("test", 1, files={"a": "13"}, step=0.5),
        cache.fingerprint("test", 1, files={"a": "12"}, step=0.25),
    ]
    assert [cache.read(path, other) for other in others] == [None] * 4
    assert cache.fingerprint("test", 1, step=0.5, files={"a": "12"}) == MADE_FROM


def test_damage_never_gives_another_content(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "x.safetensors"
    cache.write(path, TENSORS, RECORD, MADE_FROM)
    found = 0
    for what, content in damaged(path.read_bytes(), seed=0, flips=200):
        path.write_bytes(content)
        held = cache.read(path, MADE_FROM)
        assert held is None or same(held), what
        found += held is None
    assert found > 190  # some bits are in spaces that fill the header up
    assert "x.safetensors is damaged" in caplog.text


def test_views_are_private(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    cache.write(path, TENSORS, RECORD, MADE_FROM)
    held = cache.read(path, MADE_FROM)
    assert held is not None
    held.tensors["x"].zero_()
    again = cache.read(path, MADE_FROM)
    assert again is not None
    assert same(again)


def test_a_cache_that_cannot_be_written_is_done_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "taken").write_text("a file where a folder should be")
    path = tmp_path / "taken" / "x.safetensors"
    assert not cache.write(path, TENSORS, RECORD, MADE_FROM)
    assert cache.read(path, MADE_FROM) is None
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    assert str(path) in caplog.text


def test_killed_writers_leave_nothing_after_the_next_write(tmp_path: Path) -> None:
    program = f"""
import torch
from tmr import cache
while True:
    cache.write({str(tmp_path / "big.safetensors")!r}, {{"x": torch.zeros(2**22)}}, [], "f")
"""
    kept = tmp_path / ".backup-20261128.tar"
    kept.write_bytes(b"a file of the user")
    litter = 0
    for wait in (0.0, 0.013):
        process = subprocess.Popen([sys.executable, "-c", program])
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob(".tmr-partial-*/*")) and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(wait)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        for folder in tmp_path.glob(".tmr-partial-*"):
            litter += 1
            os.utime(folder, (0, 0))  # as the next day
        cache.write(tmp_path / "x.safetensors", TENSORS, RECORD, MADE_FROM)
        left = {p.name for p in tmp_path.iterdir()}
        assert left - {"big.safetensors"} == {"x.safetensors", kept.name}
    assert litter >= 1


def test_digests_follow_the_content_and_spare_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    content_digest = cache.content_digest

    def counted(file: Path) -> str:
        read.append(file)
        return content_digest(file)

    monkeypatch.setattr(cache, "content_digest", counted)
    files = {name: tmp_path / name for name in "abc"}
    for name in "ab":
        files[name].write_text(name)
    index = tmp_path / "index.safetensors"
    time.sleep(0.15)  # what changed just now may change again in the same tick of the clock
    first = cache.content_digests(files, index)
    assert first.keys() == {"a", "b"}
    assert cache.content_digests(files, index) == first
    assert len(read) == 2
    status = files["a"].stat()
    files["a"].write_text("z")  # as long as before, and with the time from before
    os.utime(files["a"], ns=(status.st_atime_ns, status.st_mtime_ns))
    second = cache.content_digests(files, index)
    assert second["a"] != first["a"]
    assert second["b"] == first["b"]
    assert read[2:] == [files["a"]]
