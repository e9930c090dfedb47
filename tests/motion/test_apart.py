"""Motion files read in processes of their own: the same results, and ends of every kind."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.motion.bvh_text import person_bvh
from tmr.errors import InputError
from tmr.motion.apart import MAX_BYTES, apart, children, end_children
from tmr.motion.read import read_features
from tmr.progress import Unwanted, wanted_until

PATH = Path("walk.bvh")


@pytest.fixture(scope="module", autouse=True)
def processes() -> Iterator[None]:
    with children():
        yield


def process(path: Path) -> int:
    return os.getpid()


def hang(begun: Path) -> None:
    begun.touch()
    time.sleep(600)


def die(path: Path) -> None:
    os._exit(7)


def refuse(path: Path) -> None:
    raise InputError(f"{path}: no motion")


def fail(path: Path) -> None:
    raise ZeroDivisionError("of the reader")


def fill(path: Path) -> None:
    np.ones(2 * MAX_BYTES, dtype=np.uint8)


def test_features_are_those_that_this_process_reads(tmp_path: Path) -> None:
    path = tmp_path / "walk.bvh"
    path.write_text(person_bvh([(0, 90, t) for t in range(40)], frame_time="0.05"))
    assert np.array_equal(apart(read_features, path), read_features(path))


def test_one_process_is_kept_for_one_file_after_another() -> None:
    first = apart(process, PATH)
    assert first != os.getpid()
    assert apart(process, PATH) == first


def test_what_is_raised_there_is_raised_here() -> None:
    with pytest.raises(InputError, match=r"^walk\.bvh: no motion$"):
        apart(refuse, PATH)
    with pytest.raises(RuntimeError, match="ZeroDivisionError: of the reader"):
        apart(fail, PATH)


def test_a_process_that_dies_costs_its_file_alone() -> None:
    with pytest.raises(InputError, match=r"^walk\.bvh: its reader ended"):
        apart(die, PATH)
    assert apart(process, PATH) != os.getpid()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="bounds memory on Linux")
def test_memory_is_bounded() -> None:
    with pytest.raises(InputError, match=r"^walk\.bvh: reading it takes more than 2 GB"):
        apart(fill, PATH)
    assert apart(process, PATH) != os.getpid()


def test_what_nobody_waits_for_is_ended(tmp_path: Path) -> None:
    with pytest.raises(Unwanted), wanted_until((tmp_path / "begun").exists):
        apart(hang, tmp_path / "begun")
    assert apart(process, PATH) != os.getpid()


def test_the_end_of_the_processes_ends_what_is_read(tmp_path: Path) -> None:
    ended: list[str] = []

    def wait() -> None:
        with pytest.raises(InputError) as refused:
            apart(hang, tmp_path / "begun")
        ended.append(str(refused.value))

    with children():
        waiting = threading.Thread(target=wait)
        waiting.start()
        while not (tmp_path / "begun").exists():
            time.sleep(0.01)
        end_children()
        waiting.join(60)
        assert "its reader ended" in ended[0]
        with pytest.raises(InputError, match="server ends"):
            apart(process, PATH)
