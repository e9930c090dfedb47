"""A part of `python -m benchmarks.faults` that needs seconds: each fault is held."""

import random
from functools import partial

import pytest

from benchmarks.faults import files
from benchmarks.faults.common import Faults, NotHeld, Place
from tmr.data import annotations
from tmr.data.releases import release
from tmr.motion.readers import npy

# Lance compares no checksums: a flipped number is another number.
UNSEEN = "lance library, rows.lance/data/"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A run folder, a data set, and what is made of them, all small."""
    place = Place(tmp_path_factory.mktemp("faults"), random.Random(1))
    place.make()
    return place


def not_held(faults: Faults) -> list[str]:
    found = []
    for name, act in faults:
        try:
            act()
        except NotHeld as reason:
            if not (name.startswith(UNSEEN) and str(reason) == "another result"):
                found.append(f"{name}: {reason}")
    return found


def test_a_run_folder_from_elsewhere_runs_nothing(place: Place) -> None:
    assert not_held(files.configs(place, 30)) == []


def test_damage_is_found_in_every_kind_of_file(place: Place) -> None:
    assert not_held(files.damage(place, flips=2)) == []


def test_folders_are_walked_whatever_lies_in_them(place: Place) -> None:
    assert not_held(files.folders(place)) == []


def test_no_path_leaves_its_folder_and_no_link_is_published(place: Place) -> None:
    assert not_held(files.paths(place)) == []


def test_bombs_are_refused_before_they_fill_memory(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (annotations, release):
        monkeypatch.setattr(module, "MAX_UNPACKED", 1 << 20)
    monkeypatch.setattr(npy, "MAX_ARCHIVED", 1 << 20)
    bombs = files.bombs(place, 2 << 20, 2 << 20)
    assert not_held((name, partial(files.held, act)) for name, act in bombs) == []
