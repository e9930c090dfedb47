from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tmr.errors import InputError
from tmr.motion.readers.bvh import read_bvh

ARM = """HIERARCHY
ROOT Body
{
	OFFSET 9 9 9
	CHANNELS 6 Zposition Xposition Yposition Zrotation Yrotation Xrotation
	JOINT Upper {
		OFFSET 1 2 3
		CHANNELS 3 ORDER
		JOINT Lower
		{
			OFFSET 0 4 0
			CHANNELS 4 Yposition Xrotation Yrotation Zrotation
			End Site
			{
				OFFSET 0 1 0
			}
		}
	}
	JOINT Tail
	{
		OFFSET 0 0 -2
		CHANNELS 1 Yrotation
		JOINT Tip
		{
			OFFSET 0 0 -1
			CHANNELS 0
		}
	}
}
MOTION
Frames: 2
Frame Time: 0.0333333
30 10 20 11 22 33 44 55 66 7 0 0 0 90
0 0 0 0 0 0 0 0 0 5 10 20 30 0
"""


@pytest.fixture
def write(tmp_path):
    def write(text: str, name: str = "clip.bvh") -> Path:
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


@pytest.mark.parametrize("order", ["".join(order) for order in permutations("XYZ")])
def test_positions_for_every_order_of_rotation_channels(write, order):
    channels = " ".join(f"{axis}rotation" for axis in order)
    bvh = read_bvh(write(ARM.replace("ORDER", channels)))
    positions = bvh.joint_positions()
    assert bvh.names == ("Body", "Upper", "Lower", "Tail", "Tip")
    assert positions.shape == (2, 5, 3)

    body = Rotation.from_euler("ZYX", [11, 22, 33], degrees=True)
    upper = body * Rotation.from_euler(order, [44, 55, 66], degrees=True)
    tail = body * Rotation.from_euler("Y", 90, degrees=True)
    place = np.array([10, 20, 30])
    assert np.allclose(positions[0, 0], place)
    assert np.allclose(positions[0, 1], place + body.apply([1, 2, 3]))
    # The position channel takes the place of the y of the offset.
    assert np.allclose(positions[0, 2], positions[0, 1] + upper.apply([0, 7, 0]))
    assert np.allclose(positions[0, 3], place + body.apply([0, 0, -2]))
    assert np.allclose(positions[0, 4], positions[0, 3] + tail.apply([0, 0, -1]))
    assert np.allclose(positions[1], [[0, 0, 0], [1, 2, 3], [1, 7, 3], [0, 0, -2], [0, 0, -3]])


GOOD = ARM.replace("ORDER", "Zrotation Xrotation Yrotation")


def test_line_ends_and_blank_lines_do_not_matter(write):
    plain = read_bvh(write(GOOD))
    dressed = read_bvh(write("\n" + GOOD.replace("\n", " \r\n") + "\r\n\r\n"))
    assert np.array_equal(plain.values, dressed.values)


@pytest.mark.parametrize(
    ("frame_time", "fps"),
    [("0.0333333", 30), (".0083333", 120), ("0.05", 20), ("0.0333667", 1 / 0.0333667)],
)
def test_frame_rates_that_lost_digits_are_made_whole_again(write, frame_time, fps):
    assert read_bvh(write(GOOD.replace("0.0333333", frame_time))).fps == fps


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("HIERARCHY", "<html>", "not a BVH file"),
        ("MOTION", "", "not a BVH file"),
        ("Frame Time: 0.0333333", "Frame Time: fast", "not a BVH file"),
        ("Frame Time: 0.0333333", "Frame Time: 0", "2 frames of 0.0 s"),
        ("Frames: 2", "Frames: 0", "0 frames"),
        ("Frames: 2", "Frames: 3", "found 2 frames, but the header promises 3"),
        ("Frames: 2", "Frames: 1", "found 2 frames, but the header promises 1"),
        ("30 10 20", "30 10 nan", "line 33: 'nan' is not a plausible number"),
        ("30 10 20", "30 10 2O", "line 33: '2O' is not a plausible number"),
        ("10 20 30 0\n", "10 20", "line 34: found 12 values, expected 14 a frame"),
        ("10 20 30 0\n", "10 20 30 0\nend", "line 35: found 1 values, expected 14"),
        ("OFFSET 0 4 0", "OFFSET 0 4", "line 11: cannot make sense of 'OFFSET 0 4'"),
        ("\tOFFSET 0 4 0\n", "", "joint 'Lower' has no OFFSET"),
        ("Frame Time: 0.0333333", "Frame Time: 1e", "2 frames of 1e s, expected two numbers"),
        ("30 10 20", "30 10 1e30", "line 33: '1e30' is not a plausible number"),
        ("OFFSET 0 4 0", "OFFSET 0 four 0", "line 11: 'four' is not a plausible number"),
        ("CHANNELS 1", "CHANNELS 2", "line 22: cannot make sense"),
        ("CHANNELS 1 Yrotation", "CHANNELS 1 Wrotation", "line 22: unknown channel 'Wrotation'"),
        ("}\nMOTION", "MOTION", "cut short"),
        ("JOINT Tail\n", "\n", "line 20: cannot make sense of '{'"),
    ],
)
def test_a_damaged_file_is_refused_with_its_place(write, old, new, message):
    assert old in GOOD
    path = write(GOOD.replace(old, new))
    with pytest.raises(InputError, match=message) as caught:
        read_bvh(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("part", [0.05, 0.3, 0.6, 0.9, 0.98])
def test_a_file_cut_anywhere_is_refused(write, part):
    with pytest.raises(InputError, match=r"clip\.bvh"):
        read_bvh(write(GOOD[: int(part * len(GOOD))]))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        read_bvh(tmp_path / "gone.bvh")
