import subprocess
import sys

import numpy as np
import pytest

from tmr.errors import InputError
from tmr.motion.contact_sheet import contact_sheet, project
from tmr.motion.skeleton import BONE_LENGTHS, PARENTS, REST_DIRECTIONS


@pytest.fixture
def clip() -> np.ndarray:
    """A stiff person who glides three meters forward."""
    joints = np.zeros((40, 22, 3))
    joints[:, 0] = np.stack([np.zeros(40), np.full(40, 0.95), np.linspace(0, 3, 40)], axis=-1)
    for joint, parent in enumerate(PARENTS[1:], start=1):
        joints[:, joint] = joints[:, parent] + BONE_LENGTHS[joint] * REST_DIRECTIONS[joint]
    return joints


def has_color(pixels: np.ndarray, color: str) -> bool:
    wanted = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return bool((np.abs(pixels[..., :3] - wanted).max(axis=-1) < 0.02).any())


def test_a_sheet_shows_both_sides_the_trunk_and_the_trail_in_their_colors(tmp_path, clip):
    from matplotlib.image import imread

    from tmr.motion.contact_sheet import LEFT, RIGHT, TRUNK

    contact_sheet(tmp_path / "sheet.png", [clip, clip[:1]], ["a person glides", "stands"], frames=4)
    pixels = imread(tmp_path / "sheet.png")
    assert pixels.shape[0] > 400 and pixels.std() > 0.05
    assert all(has_color(pixels, color) for color in (LEFT, RIGHT, TRUNK, "#2a9d8f"))
    assert [file.name for file in tmp_path.iterdir()] == ["sheet.png"]


def test_more_clips_make_a_taller_sheet(tmp_path, clip):
    from matplotlib.image import imread

    contact_sheet(tmp_path / "one.png", [clip], frames=3)
    contact_sheet(tmp_path / "three.png", [clip] * 3, frames=3)
    one, three = imread(tmp_path / "one.png"), imread(tmp_path / "three.png")
    assert three.shape[0] == pytest.approx(3 * one.shape[0], abs=3)
    assert three.shape[1] == one.shape[1]


def test_the_camera_sees_up_as_up_and_a_facing_persons_left_on_the_right():
    assert project(np.array([0.0, 1.0, 0.0]))[1] > 0.9
    assert project(np.array([1.0, 0.0, 0.0]))[0] > 0.7
    assert project(np.array([0.0, 0.0, 1.0]))[1] < 0  # toward the camera is lower


def test_nothing_to_draw_is_refused_and_leaves_no_file(tmp_path, clip):
    with pytest.raises(InputError, match="no frame to draw"):
        contact_sheet(tmp_path / "sheet.png", [])
    with pytest.raises(InputError, match="2 captions for 1 clips"):
        contact_sheet(tmp_path / "sheet.png", [clip], ["one", "two"])
    assert list(tmp_path.iterdir()) == []


def test_importing_the_renderer_does_not_import_matplotlib():
    code = "import sys, tmr.motion.contact_sheet; print('matplotlib' in sys.modules)"
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert printed.stdout.strip() == "False"
