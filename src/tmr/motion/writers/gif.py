"""Animated GIFs: a clip as a moving skeleton, for slides and web pages."""

import textwrap
from pathlib import Path

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter1d

from tmr.errors import InputError
from tmr.io import atomic_path
from tmr.motion.contact_sheet import TRUNK, limb_color, project
from tmr.motion.skeleton import CHAINS, FPS, JOINTS, joint
from tmr.progress import check_wanted

_BACKGROUND, _GRID, _SHADOW, _TRAIL, _TEXT = "#ffffff", "#e3e7eb", "#dde1e5", "#2a9d8f", "#212529"
_FINER = 2  # drawn so many times larger and then scaled down: smooth edges
_METERS = 2.9  # height of the picture
_FLOOR = 0.74  # of the height, from the top, to the point below the pelvis
_CELL, _CELLS = 0.5, 6  # meters a grid cell; cells from the middle to the edge
_LIMB, _HEAD = 0.05, 0.1  # meters: thickness of a limb, radius of the head
_FOLLOW_SIGMA = 10  # frames: the camera follows the pelvis smoothly
_COLORS = 64
_LINE_LENGTH = 48  # letters of the caption

_Picture = tuple[ImageDraw.ImageDraw, float]  # and its pixels a meter


def write_gif(
    path: Path | str,
    joints: Float[np.ndarray, "frames 22 3"],
    caption: str = "",
    size: int = 400,
) -> None:
    """Write a clip (meters, Y up, 20 frames a second) as an endless GIF at 20 frames a second.

    The camera follows the pelvis; left limbs are orange, right ones blue; the path walked so far
    is drawn on the floor. ``size`` is the width and height in pixels. Raises InputError for a
    clip without frames.
    """
    if not len(joints):
        raise InputError("found no frame to draw; expected a clip of at least one frame")
    middle = joints[:, 0] * np.array([1.0, 0.0, 1.0])
    middle = gaussian_filter1d(middle.astype(np.float64), _FOLLOW_SIGMA, axis=0, mode="nearest")

    def picture(frame: int) -> Image.Image:
        check_wanted()
        return _draw(joints[: frame + 1] - middle[frame], middle[frame], caption, size)

    # One palette for all frames: colors that differ a little from frame to frame would flicker.
    palette = picture(len(joints) // 2).quantize(_COLORS)
    frames = (
        picture(frame).quantize(palette=palette, dither=Image.Dither.NONE)
        for frame in range(len(joints))
    )
    with atomic_path(path) as temporary:
        next(frames).save(
            temporary,
            format="GIF",
            save_all=True,
            append_images=frames,
            duration=1000 // FPS,
            loop=0,
        )


def _draw(
    past: Float[np.ndarray, "past 22 3"], middle: Float[np.ndarray, "3"], caption: str, size: int
) -> Image.Image:
    """One frame, the last of ``past``, whose origin is ``middle``, the center of the picture."""
    scale = size * _FINER / _METERS
    image = Image.new("RGB", (size * _FINER, size * _FINER), _BACKGROUND)
    picture = ImageDraw.Draw(image), scale
    _draw_grid(picture, middle)
    _line(picture, past[:, 0] * np.array([1.0, 0.0, 1.0]), _TRAIL, 0.02)
    _draw_figure(picture, past[-1])
    if caption:
        _write(picture[0], caption, size * _FINER)
    return image.reduce(_FINER)


def _draw_grid(picture: _Picture, middle: Float[np.ndarray, "3"]) -> None:
    steps = _CELL * np.arange(-_CELLS, _CELLS + 1)
    reach = _CELL * _CELLS
    for axis, other in ((0, 2), (2, 0)):
        for step in steps - np.mod(middle[axis], _CELL):
            ends = np.zeros((2, 3))
            ends[:, axis] = step
            ends[:, other] = -reach, reach
            _line(picture, ends, _GRID, 0.008)


def _draw_figure(picture: _Picture, joints: Float[np.ndarray, "22 3"]) -> None:
    for chain in CHAINS:
        _line(picture, joints[list(chain)] * np.array([1.0, 0.0, 1.0]), _SHADOW, _LIMB)
    # The camera looks down: what is nearer appears lower than its height.
    farther = project(joints)[:, 1] - joints[:, 1]
    for chain in sorted(CHAINS, key=lambda chain: -float(farther[list(chain)].mean())):
        limb = joints[list(chain)]
        _line(picture, limb, _BACKGROUND, 1.5 * _LIMB)  # a rim keeps crossing limbs apart
        _line(picture, limb, limb_color(JOINTS[chain[-1]]), _LIMB)
        if chain[-1] == joint("head"):
            _dot(picture, limb[-1] + 0.35 * (limb[-1] - limb[-2]), TRUNK, _HEAD)


def _line(
    picture: _Picture, points: Float[np.ndarray, "points 3"], color: str, width: float
) -> None:
    """A line of a thickness in meters through points, with round ends."""
    drawing, scale = picture
    pixels = [tuple(pixel) for pixel in _pixels(points, scale)]
    drawing.line(pixels, fill=color, width=max(round(width * scale), 1), joint="curve")
    for end in (points[0], points[-1]):
        _dot(picture, end, color, width / 2)


def _dot(picture: _Picture, point: Float[np.ndarray, "3"], color: str, radius: float) -> None:
    drawing, scale = picture
    x, y = _pixels(point[None], scale)[0]
    r = radius * scale
    drawing.ellipse((x - r, y - r, x + r, y + r), fill=color)


def _pixels(points: Float[np.ndarray, "points 3"], scale: float) -> list[list[float]]:
    flat = project(points) * np.array([1.0, -1.0]) + _METERS * np.array([0.5, _FLOOR])
    return (flat * scale).tolist()


def _write(drawing: ImageDraw.ImageDraw, caption: str, size: int) -> None:
    """The caption at the bottom, on at most two lines."""
    lines = textwrap.wrap(caption, _LINE_LENGTH, max_lines=2, placeholder=" ...")
    font = ImageFont.load_default(size / 26)
    drawing.multiline_text(
        (size / 2, 0.98 * size), "\n".join(lines), _TEXT, font, anchor="md", align="center"
    )
