from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tmr.errors import InputError
from tmr.motion.animation import Point, world_positions
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


def upper_turn(order: str) -> Rotation:
    body = Rotation.from_euler("ZYX", [11, 22, 33], degrees=True)
    return body * Rotation.from_euler(order, [44, 55, 66], degrees=True)


@pytest.mark.parametrize("order", ["".join(order) for order in permutations("XYZ")])
def test_positions_for_every_order_of_rotation_channels(write, order):
    channels = " ".join(f"{axis}rotation" for axis in order)
    bvh = read_bvh(write(ARM.replace("ORDER", channels)))
    assert bvh.names == ("Body", "Upper", "Lower", "", "Tail", "Tip")
    assert bvh.parents == (-1, 0, 1, 2, 0, 4)
    positions = world_positions(bvh, [0, 1, 2, 4, 5])
    assert np.array_equal(world_positions(bvh, [5, 3])[:, 0], positions[:, 4])
    tip = positions[0, 2] + upper_turn(order).apply([0, 1, 0])
    assert np.allclose(world_positions(bvh, [3])[0, 0], tip)

    body = Rotation.from_euler("ZYX", [11, 22, 33], degrees=True)
    upper = upper_turn(order)
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


def test_an_added_point_is_carried_by_its_joint(write):
    bvh = read_bvh(write(GOOD))
    added = world_positions(bvh, [6], [Point(2, (0.0, 1.0, 0.0))])
    assert np.allclose(added, world_positions(bvh, [3]))


LENIENT = {
    "end site in lower case": ("End Site", "End site", None),
    "keywords in lower case": ("JOINT", "joint", None),
    "a brace on the line of the joint": ("Tail\n\t{", "Tail {", None),
    "channels on two lines": ("CHANNELS 1 Yrotation", "CHANNELS 1\n\t\tYrotation", None),
    "frame time in lower case": ("Frame Time:", "Frame time:", None),
    "blanks before colons": ("Frames:", "Frames :", None),
    "a comment first": ("HIERARCHY", "# made by hand\nHIERARCHY", "comments are left out"),
    "a comment between": ("\tJOINT Tail", "\t// the tail\n\tJOINT Tail", "comments are left out"),
    "one frame less": ("Frames: 2", "Frames: 3", "2 frames are read where the header promises 3"),
    "one frame more": ("Frames: 2", "Frames: 1", "2 frames are read where the header promises 1"),
    "no frame promised": ("Frames: 2", "Frames: 0", "where the header promises 0"),
    "commas between values": ("30 10 20", "30.0, 10, 20", "commas between values are left out"),
}


@pytest.mark.parametrize("case", LENIENT)
def test_what_other_programs_read_is_read_with_a_warning_where_it_is_odd(write, case):
    old, new, warning = LENIENT[case]
    assert old in GOOD
    found, plain = read_bvh(write(GOOD.replace(old, new))), read_bvh(write(GOOD, "plain.bvh"))
    assert np.array_equal(found.values, plain.values)
    assert (found.names, found.channels, found.fps) == (plain.names, plain.channels, plain.fps)
    assert len(found.warnings) == (warning is not None)
    assert (warning or "") in " ".join(found.warnings)


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
        lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
        lambda text: text.encode("utf-16-le"),
        lambda text: text.replace("\n", "\r\n").encode() + b"\x1a",
        lambda text: text.rstrip("\n").encode(),
        lambda text: text.replace("\n", "\r").encode(),
    ],
)
def test_encodings_of_other_systems_are_read(tmp_path, encode):
    (tmp_path / "clip.bvh").write_bytes(encode(GOOD))
    (tmp_path / "plain.bvh").write_text(GOOD)
    found, plain = read_bvh(tmp_path / "clip.bvh"), read_bvh(tmp_path / "plain.bvh")
    assert np.array_equal(found.values, plain.values)
    assert found.names == plain.names


def test_decimal_commas_are_read_as_points(write):
    text = GOOD.replace("0 1 0", "0.5 1.25 0").replace("30 10 20", "30.5 10.25 -20.125")
    found, plain = read_bvh(write(text.replace(".", ","))), read_bvh(write(text, "plain.bvh"))
    assert np.array_equal(found.values, plain.values)
    assert np.array_equal(found.offsets, plain.offsets)
    assert found.fps == plain.fps == 30
    assert "decimal" in found.warnings[0]


def test_a_frame_time_of_zero_leaves_the_frame_rate_open(write):
    assert read_bvh(write(GOOD.replace("0.0333333", "0"))).fps is None


@pytest.mark.parametrize(
    ("joints", "message"),
    [
        ("JOINT a { OFFSET 0 1 0 CHANNELS 1 Xrotation " * 501 + "}" * 501, "more than 500 joints"),
        ("JOINT a { OFFSET 0 1 0 CHANNELS 0 }\n" * 10001, "more than 10,000 joints"),
    ],
    ids=["nested", "side by side"],
)
def test_skeletons_of_no_body_are_refused_before_they_fill_the_memory(write, joints, message):
    with pytest.raises(InputError, match=message):
        read_bvh(write(GOOD.replace("JOINT Tail", f"{joints}\nJOINT Tail")))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("HIERARCHY", "<html>", "not a BVH file"),
        ("MOTION", "", "not a BVH file"),
        ("Frame Time: 0.0333333", "Frame Time: fast", "found Frame Time: fast"),
        ("30 10 20", "30 10 nan", "line 33: 'nan' is not a plausible number"),
        ("30 10 20", "30 10 2O", "line 33: '2O' is not a plausible number"),
        ("10 20 30 0\n", "10 20", "line 34: found 12 values, expected 14 a frame"),
        ("10 20 30 0\n", "10 20 30 0\nend", "line 35: found 1 values, expected 14"),
        ("OFFSET 0 4 0", "OFFSET 0 4", "line 12: 'CHANNELS' is not a plausible number"),
        ("\tOFFSET 0 4 0\n", "", "joint 'Lower' has no OFFSET"),
        ("Frame Time: 0.0333333", "Frame Time: -1", "expected seconds above zero"),
        ("Frames: 2", "Frames: two", "found Frames: two, expected a number"),
        ("Frame Time: 0.0333333", "Frame Time: 1e", "found Frame Time: 1e, expected seconds"),
        ("30 10 20", "30 10 1e30", "line 33: '1e30' is not a plausible number"),
        ("OFFSET 0 4 0", "OFFSET 0 four 0", "line 11: 'four' is not a plausible number"),
        ("CHANNELS 1", "CHANNELS 2", "line 23: unknown channel 'JOINT'"),
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
