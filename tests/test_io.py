"""Atomic writes, and what killed ones leave."""

import errno
from pathlib import Path

import pytest

from tmr.io import atomic_path, disk_is_full, remove_leftovers, write_text


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


def test_only_half_written_files_are_leftovers(tmp_path: Path) -> None:
    names = [".lock", "last.ckpt", ".gitignore", ".half-done.txt", "logs/metrics.csv"]
    for name in names:
        write_text(tmp_path / name, "kept")
    targets = (tmp_path / "last.ckpt", tmp_path / "logs" / "metrics.csv", tmp_path / "bare")
    writers = [atomic_path(target) for target in targets]  # referred to, or they would tidy up
    for writer in writers:
        writer.__enter__()  # as a process that is killed leaves it
    assert len([p for p in tmp_path.rglob("*") if p.is_file()]) == len(names) + 3
    remove_leftovers(tmp_path)
    left = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert left == set(names)


def test_a_full_disk_is_known_behind_what_it_caused() -> None:
    try:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError:
            raise RuntimeError("unexpected position in the file")  # noqa: B904  torch does so
    except RuntimeError as error:
        assert disk_is_full(error)
    assert not disk_is_full(FileNotFoundError(errno.ENOENT, "no such file"))
