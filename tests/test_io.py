"""Atomic writes, and what killed ones leave."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tmr.io import (
    WriteError,
    atomic_path,
    disk_is_full,
    remove_leftovers,
    save_array,
    save_pickle,
    save_tensors,
    write_json,
    write_text,
)


@pytest.mark.parametrize("durable", [False, True])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "table.csv"
    write_text(path, "old")
    with pytest.raises(KeyError), atomic_path(path, durable) as temporary:
        temporary.write_text("ne")
        raise KeyError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    with atomic_path(path, durable) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"


def test_only_what_dead_writers_left_is_removed(tmp_path: Path) -> None:
    names = [".lock", "last.ckpt", ".backup-20261128.tar", ".tmpAb12Cd", "logs/metrics.csv"]
    for name in names:
        write_text(tmp_path / name, "kept")
    targets = (tmp_path / "last.ckpt", tmp_path / "logs" / "metrics.csv", tmp_path / "bare")
    writers = [atomic_path(target) for target in targets]
    for writer in writers:
        writer.__enter__().write_text("half")
    for folder in tmp_path.rglob(".tmr-partial-*"):
        os.utime(folder, (0, 0))
    remove_leftovers(tmp_path, recursive=True)
    assert len(list(tmp_path.rglob(".tmr-partial-*/*"))) == 3  # their writers live
    for writer in writers:
        writer.__exit__(None, None, None)
    dead = tmp_path / "logs" / ".tmr-partial-ab12cd34"
    dead.mkdir()
    (dead / ".tmpX1y2Z3").write_text("half")
    remove_leftovers(tmp_path, recursive=True)
    assert dead.exists()  # its writer may be about to lock it
    os.utime(dead, (0, 0))
    remove_leftovers(tmp_path, recursive=True)
    left = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert left == {*names, "bare"}
    assert not dead.exists()


def test_leftovers_are_looked_for_while_others_write(tmp_path: Path) -> None:
    code = """
import sys
from tmr.io import write_text
while True:
    for i in range(50):
        write_text(f"{sys.argv[1]}/{i}/file.txt", "new")
"""
    writer = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    try:
        while not (tmp_path / "49" / "file.txt").exists():
            assert writer.poll() is None
        for _ in range(300):
            remove_leftovers(tmp_path, recursive=True)
        assert writer.poll() is None
    finally:
        writer.kill()
        writer.wait()


WRITES = {
    "x.npy": lambda path: save_array(path, np.zeros(100_000)),
    "x.safetensors": lambda path: save_tensors(path, {"x": torch.zeros(100_000)}),
    "x.pt": lambda path: save_pickle(path, torch.zeros(100_000)),
    "x.json": lambda path: write_json(path, ["walk"] * 100_000),
}


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of file sizes")
@pytest.mark.parametrize("name", WRITES)
def test_a_full_disk_is_one_line_and_leaves_the_old_file(tmp_path: Path, name: str) -> None:
    import resource

    path = tmp_path / name
    path.write_bytes(b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(WriteError, match=rf"^cannot write {path}: the disk is full .*wanted"):
            WRITES[name](path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_written_to_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where a folder should be")
    with pytest.raises(WriteError, match=r"^cannot write [^\n]*taken/x\.json: [^\n]*$"):
        write_json(tmp_path / "taken" / "x.json", {})


def test_a_full_disk_is_known_behind_what_it_caused() -> None:
    try:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError:
            raise RuntimeError("unexpected position in the file")  # noqa: B904  torch does so
    except RuntimeError as error:
        assert disk_is_full(error)
    assert not disk_is_full(FileNotFoundError(errno.ENOENT, "no such file"))


def test_the_first_file_in_a_folder_takes_litter_with_it(tmp_path: Path) -> None:
    dead = tmp_path / ".tmr-partial-ab12cd34"
    dead.mkdir()
    (dead / "weights.pt").write_text("half")
    os.utime(dead, (0, 0))
    write_text(tmp_path / "other.txt", "whole")
    assert [path.name for path in tmp_path.iterdir()] == ["other.txt"]
