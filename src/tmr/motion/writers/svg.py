"""Animated SVGs: a clip as a moving stick figure that a notebook shows without a script."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from tmr.errors import InputError
from tmr.motion.contact_sheet import TRUNK, limb_color, project
from tmr.motion.skeleton import CHAINS, FPS, JOINTS, joint

_MOST_FRAMES = 120  # longer clips are shown with fewer frames a second: a page holds many
_LIMB, _HEAD, _MARGIN = 0.05, 0.1, 0.15  # meters


@dataclass(frozen=True, repr=False)
class Animation:
    """A clip that moves in notebooks: joints (frames, 22, 3), meters, Y up, 20 frames a second.

    Raises:
        InputError: no frame.
    """

    joints: Float[np.ndarray, "frames 22 3"]

    def __post_init__(self) -> None:
        if not len(self.joints):
            raise InputError("found no frame to draw; expected a clip of at least one frame")

    def __repr__(self) -> str:
        return f"Animation({len(self.joints)} frames, {len(self.joints) / FPS:g} s)"

    def _repr_html_(self) -> str:
        return self.svg()

    def svg(self, height: int = 200) -> str:
        """The clip as an SVG of so many pixels, seen from the front left; orange limbs are left."""
        step = -(-len(self.joints) // _MOST_FRAMES)
        points = project(self.joints[::step]) * np.array([1.0, -1.0])
        low = points.min(axis=(0, 1)) - _MARGIN
        size = points.max(axis=(0, 1)) + _MARGIN - low
        points -= low
        seconds = f'dur="{len(self.joints) / FPS:g}s" repeatCount="indefinite"'
        parts = []
        for chain in CHAINS:
            frames = [" ".join(f"{x:.2f},{y:.2f}" for x, y in f) for f in points[:, list(chain)]]
            parts.append(
                f'<polyline stroke="{limb_color(JOINTS[chain[-1]])}" points="{frames[0]}"><animate '
                f'attributeName="points" values="{";".join(frames)}" {seconds}/></polyline>'
            )
        x, y = ([f"{v:.2f}" for v in points[:, joint("head"), axis]] for axis in (0, 1))
        parts.append(
            f'<circle r="{_HEAD}" fill="{TRUNK}" stroke="none" cx="{x[0]}" cy="{y[0]}">'
            f'<animate attributeName="cx" values="{";".join(x)}" {seconds}/>'
            f'<animate attributeName="cy" values="{";".join(y)}" {seconds}/></circle>'
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" height="{height}" '
            f'viewBox="0 0 {size[0]:.2f} {size[1]:.2f}"><g fill="none" stroke-width="{_LIMB}" '
            f'stroke-linecap="round" stroke-linejoin="round">{"".join(parts)}</g></svg>'
        )
