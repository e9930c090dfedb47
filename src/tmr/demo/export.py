"""A motion of the session as a file to take away, or as bytes for the viewer."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tmr.demo.session import Session
from tmr.io import save_array
from tmr.motion.writers.bvh import write_bvh
from tmr.motion.writers.gif import write_gif
from tmr.motion.writers.glb import write_glb

FORMATS: dict[str, Callable[[Session, str, Path], object]] = {
    "bvh": lambda session, motion, path: write_bvh(path, session.joints(motion)),
    "glb": lambda session, motion, path: write_glb(path, session.joints(motion)),
    "gif": lambda session, motion, path: write_gif(
        path, session.joints(motion), session.title(motion)
    ),
    "npy": lambda session, motion, path: save_array(path, session.features(motion)),
}


def export(session: Session, motion_id: str, path: Path) -> None:
    """Write a motion in the format of the path's suffix, one of ``FORMATS``."""
    FORMATS[path.suffix[1:]](session, motion_id, path)


def millimeters(session: Session, motion_id: str) -> bytes:
    """Joints (T, 22, 3) of a motion for the viewer: 16-bit integers, little end first."""
    return np.round(1000 * session.joints(motion_id)).clip(-32767, 32767).astype("<i2").tobytes()
