import numpy as np
import pytest

from tmr.motion.resample import resample


@pytest.mark.parametrize("fps", [10, 20, 24, 30, 59.94, 60, 100, 120])
def test_frame_i_lies_at_i_twentieths_of_a_second(fps):
    seconds = np.arange(50) / fps
    moving = seconds[:, None, None] * np.ones((1, 2, 3))
    resampled = resample(moving, fps)
    assert np.allclose(resampled[:, 0, 0], np.arange(len(resampled)) / 20)
    assert seconds[-1] - 1 / 20 < resampled[-1, 0, 0] <= seconds[-1] + 1e-9


@pytest.mark.parametrize(
    ("frames", "fps", "expected"), [(55, 30, 37), (74, 30, 49), (121, 120, 21), (1, 30, 1)]
)
def test_the_number_of_frames(frames, fps, expected):
    assert len(resample(np.zeros((frames, 22, 3)), fps)) == expected


def test_positions_between_two_frames_are_on_the_line():
    joints = np.random.default_rng(0).normal(size=(4, 3, 3))
    resampled = resample(joints, 30)  # frame 1 lies halfway between the given 1 and 2
    assert np.allclose(resampled[1], (joints[1] + joints[2]) / 2)
    assert np.allclose(resampled[2], joints[3])
