"""The picture of a localization: skeletons, curve and segments over one axis of time."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from tmr.io import atomic_path
from tmr.localization.segments import Segment
from tmr.motion.contact_sheet import draw_figure
from tmr.motion.skeleton import FPS

_FIGURES = 16  # skeletons of the strip
_SPACING = 0.85  # meters between them
_CURVE, _BEST, _OTHER, _TEXT, _FAINT = "#264653", "#e76f51", "#2a9d8f", "#212529", "#868e96"
_PALE = 0.35  # strength of the skeletons outside of the best segment


def draw(
    path: Path | str,
    text: str,
    joints: Float[np.ndarray, "_ 22 3"],
    fits: Float[np.ndarray, " frames"],
    segments: Sequence[Segment],
) -> None:
    """Write a PNG (or SVG, PDF, by the suffix) of where a sentence was found in a motion.

    Above, skeletons at even times, those in the best segment in full color; then the fit around
    each frame, and below the segments, the best one on top. ``joints`` are meters, Y up.
    """
    # Importing matplotlib takes a second, which only those who draw should pay.
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    heights = [2.3, 1.8, 0.3 + 0.26 * len(segments)]  # inches
    figure = Figure(figsize=(14, sum(heights) + 1), facecolor="white")
    FigureCanvasAgg(figure)
    strip, curve, bars = figure.subplots(3, 1, height_ratios=heights, gridspec_kw={"hspace": 0.05})
    seconds = len(fits) / FPS
    strip.set_title(f"“{text}”", fontsize=13, color=_TEXT, loc="left", pad=8)
    _draw_strip(strip, joints, seconds, segments)
    _draw_curve(curve, fits, segments)
    _draw_bars(bars, segments, seconds)
    for axes in (curve, bars):
        axes.set_xlim(0, seconds)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=_FAINT, labelsize=9)
    curve.tick_params(labelbottom=False)
    bars.set_xlabel("seconds", color=_FAINT, fontsize=9)
    figure.subplots_adjust(left=0.05, right=0.985, top=0.93, bottom=0.09)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110)


def _draw_strip(
    axes, joints: Float[np.ndarray, "_ 22 3"], seconds: float, segments: Sequence[Segment]
) -> None:
    for column in range(_FIGURES):
        time = (column + 0.5) / _FIGURES * seconds
        frame = joints[min(int(time * FPS), len(joints) - 1)]
        inside = bool(segments) and segments[0].start <= time < segments[0].end
        center = frame[0] * np.array([1.0, 0.0, 1.0])
        place = (column + 0.5) * _SPACING
        draw_figure(axes, frame - center, place, 1.0 if inside else _PALE)
    axes.set_xlim(0, _FIGURES * _SPACING)
    axes.set_ylim(-0.2, 2.05)
    axes.set_aspect("equal", anchor="S")
    axes.axis("off")
    for limb in (*axes.lines, *axes.patches):
        limb.set_clip_on(False)


def _draw_curve(axes, fits: Float[np.ndarray, " frames"], segments: Sequence[Segment]) -> None:
    for rank, segment in enumerate(segments):
        color = _BEST if rank == 0 else _OTHER
        axes.axvspan(
            segment.start, segment.end, color=color, alpha=0.25 if rank == 0 else 0.1, lw=0
        )
    axes.plot((np.arange(len(fits)) + 0.5) / FPS, fits, color=_CURVE, lw=1.4)
    axes.set_ylim(min(0.0, float(fits.min())), 1.02)
    axes.set_ylabel("fit", color=_FAINT, fontsize=9)


def _draw_bars(axes, segments: Sequence[Segment], seconds: float) -> None:
    for rank, segment in enumerate(segments):
        color = _BEST if rank == 0 else _OTHER
        axes.barh(rank, segment.end - segment.start, left=segment.start, height=0.7, color=color)
        label = f"{segment.start:.1f} to {segment.end:.1f} s, score {segment.score:.2f}"
        if segment.confidence is not None:
            label += f", confidence {segment.confidence:.2f}"
        before = segment.end > 0.8 * seconds  # there is no room for the label behind it
        axes.annotate(
            label, (segment.start if before else segment.end, rank), va="center",
            ha="right" if before else "left", xytext=(-5 if before else 5, 0),
            textcoords="offset points", fontsize=8.5, color=_TEXT,
        )  # fmt: skip
    axes.set_ylim(len(segments) - 0.4, -0.6)
    axes.set_yticks([])
