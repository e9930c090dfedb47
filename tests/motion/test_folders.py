"""Folders as they are: links in circles, to the same place twice, too many names."""

import os
from pathlib import Path

import pytest

from tmr.errors import InputError
from tmr.motion.folders import find_files


def names(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in find_files(folder, [".bvh"]).files]


def test_a_circle_of_links_is_walked_once(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.bvh").touch()
    (tmp_path / "sub" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "self").symlink_to("self")
    assert names(tmp_path) == ["sub/a.bvh"]


def test_a_folder_goes_by_its_own_path_before_a_link_to_it(tmp_path):
    (tmp_path / "z").mkdir()
    (tmp_path / "z" / "B.BVH").touch()
    (tmp_path / "a").symlink_to(tmp_path / "z", target_is_directory=True)
    assert names(tmp_path) == ["z/B.BVH"]


def test_what_is_no_ordinary_file_is_named_and_hidden_names_are_left_out(tmp_path):
    (tmp_path / "dead.bvh").symlink_to(tmp_path / "gone.bvh")
    os.mkfifo(tmp_path / "pipe.bvh")
    (tmp_path / ".hidden.bvh").touch()
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "a.bvh").touch()
    (tmp_path / "folder.bvh").mkdir()
    found = find_files(tmp_path, [".bvh"])
    assert found.files == []
    assert {path.name: reason for path, reason in found.unusable.items()} == {
        "dead.bvh": "a link to a file that is not there",
        "pipe.bvh": "not an ordinary file",
    }


def test_a_walk_stops_at_a_number_of_names(tmp_path):
    for i in range(5):
        (tmp_path / f"{i}.txt").touch()
    assert names(tmp_path) == []
    with pytest.raises(InputError, match="more than 4 names below"):
        find_files(tmp_path, [".bvh"], max_entries=4)
