"""Weights of a checkpoint, one file for each module."""

import logging
from pathlib import Path

from tmr.runs.folder import RunDir
from tmr.runs.weights import extract as extract_weights

log = logging.getLogger(__name__)


def extract(run_dir: str, ckpt: str) -> None:
    """Write RUN_DIR/<ckpt>_weights."""
    log.info("wrote %s", extract_weights(RunDir(Path(run_dir)), ckpt))
