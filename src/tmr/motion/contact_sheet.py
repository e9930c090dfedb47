"""Pictures of motions: a sheet of skeleton frames, left and right limbs in two colors."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from tmr.errors import InputError
from tmr.io import atomic_path
from tmr.motion.skeleton import FPS, JOINTS, PARENTS

LEFT, RIGHT, TRUNK = "#e07a1f", "#2878b5", "#3b3f46"
_FLOOR, _TRAIL, _TEXT, _FAINT = "#f1f3f5", "#2a9d8f", "#212529", "#868e96"
_HEAD_RADIUS = 0.095
_CAMERA = (np.radians(32.0), np.radians(14.0))  # to the person's left, above the horizon
_INCHES = 1.4  # of the picture for each meter
_SPACING = 0.75  # meters between the figures of a row


def contact_sheet(
    path: Path | str,
    clips: Sequence[Float[np.ndarray, "_ 22 3"]],
    captions: Sequence[str] = (),
    frames: int = 9,
) -> None:
    """Write a PNG (or SVG, PDF, by the suffix) with a row of skeleton frames for each clip.

    Time runs to the right: the figures of a row stand beside each other, whatever way the person
    takes, and the path of the pelvis is drawn on the floor of the row's last figure in its true
    shape. Clips are meters, Y up, 20 frames a second; captions are the rows' titles.

    Raises InputError when there is no clip, a clip is empty, or captions do not match the clips.
    """
    if not clips or min(len(clip) for clip in clips) == 0:
        raise InputError("found no frame to draw; expected clips of at least one frame")
    if captions and len(captions) != len(clips):
        raise InputError(f"found {len(captions)} captions for {len(clips)} clips; expected as many")
    # Importing matplotlib takes a second, which only those who draw should pay.
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(
        figsize=(_INCHES * (_SPACING * (frames - 1) + 2.15), (_INCHES * 2.5 + 0.35) * len(clips)),
        facecolor="white",
    )
    FigureCanvasAgg(figure)
    rows = figure.subplots(len(clips), 1, squeeze=False)[:, 0]
    for i, (axes, clip) in enumerate(zip(rows, clips, strict=True)):
        _draw_row(axes, clip, frames)
        if captions:
            axes.set_title(captions[i], fontsize=13, color=_TEXT, loc="left", pad=4)
    figure.tight_layout(pad=0.5)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110)


def limb_color(name: str) -> str:
    """The color of what ends at a joint: orange on the left, blue on the right."""
    return LEFT if name.startswith("left") else RIGHT if name.startswith("right") else TRUNK


def project(points: Float[np.ndarray, "*shape 3"]) -> Float[np.ndarray, "*shape 2"]:
    """Where points appear to a camera far away, in front, to the left and a little above."""
    turn, lift = _CAMERA
    x, y, z = points[..., 0], points[..., 1], points[..., 2]
    across = x * np.cos(turn) - z * np.sin(turn)
    toward = x * np.sin(turn) + z * np.cos(turn)
    return np.stack([across, y * np.cos(lift) - toward * np.sin(lift)], axis=-1)


def _draw_row(axes, clip: Float[np.ndarray, "_ 22 3"], frames: int) -> None:
    shown = np.linspace(0, len(clip) - 1, frames).round().astype(int)
    start = clip[shown[0], 0] * np.array([1.0, 0.0, 1.0])
    right = _SPACING * (frames - 1)
    # The floor is at height 0; those who leap or hang, or whose floor is elsewhere, are whole too.
    heights = project(clip[shown] - clip[shown][:, :1] * np.array([1.0, 0.0, 1.0]))[..., 1]
    bottom = min(-0.45, float(heights.min()) - 0.25)
    top = max(2.0, float(heights.max()) + 2 * _HEAD_RADIUS)
    axes.axhspan(bottom, 0.12, color=_FLOOR, zorder=0, lw=0)
    for column, frame in enumerate(shown):
        under = clip[frame, 0] * np.array([1.0, 0.0, 1.0])
        draw_figure(
            axes, clip[frame] - under, column * _SPACING, 0.45 + 0.55 * column / max(frames - 1, 1)
        )
        time = f"{frame / FPS:.1f} s"
        axes.text(column * _SPACING, bottom + 0.07, time, fontsize=9, color=_FAINT, ha="center")
    trail = project(clip[:, 0] * np.array([1.0, 0.0, 1.0]) - start)
    _draw_trail(axes, trail, right + 0.95, bottom + 0.07)
    axes.set_xlim(-0.55, right + 1.5)
    axes.set_ylim(bottom, top)
    axes.set_aspect("equal", anchor="W")
    axes.axis("off")


def _pale(color: str, strength: float) -> tuple[float, ...]:
    """The color mixed with white; overlapping limbs stay opaque, unlike with transparency."""
    return tuple(1 - strength * (1 - int(color[i : i + 2], 16) / 255) for i in (1, 3, 5))


def draw_figure(axes, joints: Float[np.ndarray, "22 3"], x: float, strength: float) -> None:
    """Draw the joints of one frame, which stand over the origin, at ``x`` meters.

    ``strength`` from 0 to 1 is how much of the colors is left of white.
    """
    flat = project(joints) + np.array([x, 0.0])
    depth = joints @ np.array([np.sin(_CAMERA[0]), 0.0, np.cos(_CAMERA[0])])
    shadow = project(joints * np.array([1.0, 0.0, 1.0])) + np.array([x, 0.0])
    for joint, parent in enumerate(PARENTS[1:], start=1):
        ends = [joint, parent]
        axes.plot(*shadow[ends].T, color="#dde1e5", lw=2.2, zorder=1, solid_capstyle="round")
    for joint in sorted(range(1, len(JOINTS)), key=lambda j: depth[j] + depth[PARENTS[j]]):
        ends = [joint, PARENTS[joint]]
        color = limb_color(JOINTS[joint])
        order = 3 + 0.01 * float(depth[ends].mean())
        axes.plot(
            *flat[ends].T, color=_pale(color, strength), lw=3.6, zorder=order,
            solid_capstyle="round",
        )  # fmt: skip
    neck, head = flat[JOINTS.index("neck")], flat[JOINTS.index("head")]
    up = (head - neck) / max(float(np.linalg.norm(head - neck)), 1e-9)
    angle = np.linspace(0, 2 * np.pi, 40)
    circle = head + 0.35 * _HEAD_RADIUS * up
    outline = circle + _HEAD_RADIUS * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    axes.fill(*outline.T, color=_pale(TRUNK, strength), zorder=3.02, lw=0)


def _draw_trail(axes, trail: Float[np.ndarray, "frames 2"], x: float, below: float) -> None:
    """The pelvis path from a dot (start) to an arrow head (end), at most 0.8 m wide.

    Its width is written at the height ``below``.
    """
    low, high = trail.min(axis=0), trail.max(axis=0)
    extent = float((high - low).max())
    if extent < 0.25:
        return
    path = (trail - (low + high) / 2) * (0.8 / max(extent, 0.8)) + np.array([x, 0.55])
    axes.plot(*path.T, color=_TRAIL, lw=2.0, zorder=2, solid_capstyle="round")
    axes.plot(*path[0], "o", color=_TRAIL, ms=5, zorder=2)
    before = path[max(np.flatnonzero(np.linalg.norm(path - path[-1], axis=1) > 0.05)[-1], 0)]
    axes.annotate(
        "", xy=path[-1], xytext=before, zorder=2,
        arrowprops={"arrowstyle": "-|>", "color": _TRAIL, "lw": 2.0, "mutation_scale": 13},
    )  # fmt: skip
    distance = f"path, {extent:.1f} m across"
    axes.text(x, below, distance, fontsize=9, color=_TRAIL, ha="center")
