"""Joints to features and mirrored features."""

import logging
from pathlib import Path

from tmr.motion.preprocessing import compute_features
from tmr.motion.readers.npy import POSE_DATA

log = logging.getLogger(__name__)

JOINTS = Path("datasets/motions/joints")


def compute_guoh3dfeats(
    base_folder: str | None,
    output_folder: str,
    name: str | None,
    x_negated: bool | None,
    processes: int | None,
    overwrite: bool,
) -> None:
    """Compute the features of every joint file below the base folder."""
    folder = Path(base_folder) if base_folder else JOINTS
    if base_folder is None and not folder.is_dir() and folder.with_name(POSE_DATA).is_dir():
        folder = folder.with_name(POSE_DATA)
        log.info("reading %s, made with HumanML3D's notebook", folder)
    compute_features(folder, output_folder, name, x_negated, processes, overwrite)
