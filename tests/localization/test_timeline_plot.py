"""The picture of a localization."""

from pathlib import Path

import numpy as np
from matplotlib.image import imread

from tests.bodies import walk
from tmr.localization import Segment
from tmr.localization.timeline_plot import draw
from tmr.motion.contact_sheet import TRUNK


def test_the_picture_shows_the_body_wherever_it_is(tmp_path: Path) -> None:
    joints, fits = walk(60), np.linspace(0, 1, 60)
    segments = [Segment(1.0, 2.0, 0.9, 0.8, None), Segment(0.0, 0.5, 0.7, 0.6, 0.5)]

    def picture(name: str, *arguments) -> bytes:
        draw(tmp_path / name, "walks", *arguments)
        return (tmp_path / name).read_bytes()

    here = picture("here.png", joints, fits, segments)
    assert picture("there.png", joints + np.array([16.0, 0, -8]), fits, segments) == here
    assert picture("other.png", joints, fits, segments[::-1]) != here
    image = imread(tmp_path / "here.png")
    assert image[:, :10].min() == image[:, -10:].min() == 1  # nothing is cut off at the sides


def test_the_figures_in_the_best_segment_are_in_full_color(tmp_path: Path) -> None:
    """Sixteen figures, each in the middle of its part of the three seconds."""
    joints, fits = walk(60), np.linspace(0, 1, 60)
    best = Segment(0.0, 3 * 3 / 16, 0.9, 0.8, None)
    draw(tmp_path / "found.svg", "walks", joints, fits, [best])
    assert (tmp_path / "found.svg").read_text().count(f"fill: {TRUNK}") == 3
