"""Parts of BVH files, compared with the values of the whole."""

from pathlib import Path

import numpy as np
import pytest

from tests.motion.bvh_text import person_bvh
from tmr.errors import InputError
from tmr.motion.readers.bvh import read_bvh
from tmr.motion.writers.bvh_cut import cut_bvh

PLACES = [(frame, 90, 2 * frame) for frame in range(10)]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "walk 03.bvh"
    path.write_text(person_bvh(PLACES))
    return path


def test_a_part_has_the_skeleton_and_the_values_as_they_are_written(source: Path, tmp_path: Path):
    cut_bvh(source, tmp_path / "part.bvh", 3, 7)
    whole, part = source.read_text(), (tmp_path / "part.bvh").read_text()
    assert part.split("MOTION")[0] == whole.split("MOTION")[0]
    before, values = whole.split("MOTION")[1].splitlines()[:3], whole.splitlines()[-10:]
    assert part.split("MOTION")[1].splitlines() == [
        before[0], "Frames: 4", before[2], *(line.strip() for line in values[3:7])
    ]  # fmt: skip


def test_every_part_is_read_as_these_frames_of_the_whole(source: Path, tmp_path: Path):
    whole = read_bvh(source)
    for first, end in ((0, 10), (0, 1), (9, 10), (2, 5)):
        cut_bvh(source, tmp_path / "part.bvh", first, end)
        part = read_bvh(tmp_path / "part.bvh")
        np.testing.assert_array_equal(part.values, whole.values[first:end])
        assert (part.names, part.fps) == (whole.names, whole.fps)


def test_frames_in_front_of_the_motion_are_not_counted(source: Path, tmp_path: Path):
    cut_bvh(source, tmp_path / "part.bvh", 0, 2, motion_frames=9)
    part = read_bvh(tmp_path / "part.bvh")
    np.testing.assert_array_equal(part.values, read_bvh(source).values[1:3])


def test_a_part_starts_above_the_origin_where_that_is_wished(source: Path, tmp_path: Path):
    cut_bvh(source, tmp_path / "part.bvh", 4, 6, origin_up="y")
    np.testing.assert_allclose(
        read_bvh(tmp_path / "part.bvh").values[:, :3], [[0, 90, 0], [1, 90, 2]]
    )


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_other_encodings_and_ends_of_lines_are_cut_too(source: Path, tmp_path: Path, encoding: str):
    text = source.read_text().replace("\n", "\r\n")
    (tmp_path / "other.bvh").write_bytes(text.encode(encoding))
    cut_bvh(tmp_path / "other.bvh", tmp_path / "part.bvh", 1, 3)
    part = read_bvh(tmp_path / "part.bvh")
    np.testing.assert_array_equal(part.values, read_bvh(source).values[1:3])


def test_frames_on_several_lines_are_cut_too(source: Path, tmp_path: Path):
    head, values = source.read_text().rsplit("Frame Time:", 1)
    time, *words = values.split()
    (tmp_path / "wrapped.bvh").write_text(f"{head}Frame Time: {time}\n" + "\n".join(words))
    cut_bvh(tmp_path / "wrapped.bvh", tmp_path / "part.bvh", 2, 4)
    part = read_bvh(tmp_path / "part.bvh")
    np.testing.assert_array_equal(part.values, read_bvh(source).values[2:4])


@pytest.mark.parametrize(("first", "end"), [(5, 5), (8, 12), (-1, 3), (10, 11)])
def test_frames_that_are_not_there_are_refused(source: Path, tmp_path: Path, first: int, end: int):
    with pytest.raises(InputError, match="found 10 frames"):
        cut_bvh(source, tmp_path / "part.bvh", first, end)
    assert not (tmp_path / "part.bvh").exists()


@pytest.mark.parametrize("text", ["", "HIERARCHY\n", "MOTION\nFrames: 2\nFrame Time: 1\n1 2\n3\n"])
def test_what_is_no_bvh_file_is_refused(tmp_path: Path, text: str):
    (tmp_path / "bad.bvh").write_text(text)
    with pytest.raises(InputError, match=r"bad\.bvh"):
        cut_bvh(tmp_path / "bad.bvh", tmp_path / "part.bvh", 0, 1)
