"""A motion of the shelf as a file to take away, or as bytes for the viewer."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tmr.demo.shelf import Shelf
from tmr.io import save_array
from tmr.motion.writers.bvh import write_bvh
from tmr.motion.writers.gif import write_gif
from tmr.motion.writers.glb import write_glb

FORMATS: dict[str, Callable[[Shelf, str, Path], object]] = {
    "bvh": lambda shelf, motion, path: write_bvh(path, shelf.joints(motion)),
    "glb": lambda shelf, motion, path: write_glb(path, shelf.joints(motion)),
    "gif": lambda shelf, motion, path: write_gif(path, shelf.joints(motion), shelf.title(motion)),
    "npy": lambda shelf, motion, path: save_array(path, shelf.features(motion)),
}


def export(shelf: Shelf, motion_id: str, path: Path) -> None:
    """Write a motion in the format of the path's suffix, one of ``FORMATS``."""
    FORMATS[path.suffix[1:]](shelf, motion_id, path)


def millimeters(shelf: Shelf, motion_id: str) -> bytes:
    """Joints (T, 22, 3) of a motion for the viewer: 16-bit integers, little end first."""
    return np.round(1000 * shelf.joints(motion_id)).clip(-32767, 32767).astype("<i2").tobytes()
