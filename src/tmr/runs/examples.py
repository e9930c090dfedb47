"""Motions to search after the installation: procedural ones, made in seconds and kept."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tmr.data import TextMotionData
from tmr.motion.preprocessing import compute_features
from tmr.runs.build import data_of
from tmr.runs.default import default_run
from tmr.runs.folder import RunDir
from tmr.synthetic.dataset import NAME, CorpusSize, synthesize

log = logging.getLogger(__name__)

# Beside the data sets of its name: a training on `data=synthetic` must not find this small one.
FOLDER = Path("datasets/examples")
SIZE = CorpusSize(motions=300, test=100, val=10, variety=0.0)


def data_to_search(run: RunDir, config: Mapping[str, Any]) -> TextMotionData:
    """The data set of a run; examples where that of the open model has not been made."""
    data = data_of(config)
    made = Path(data.annotations, "annotations.json").is_file()
    return data if made or run.root != default_run().root else examples()


def examples(folder: Path = FOLDER) -> TextMotionData:
    """300 procedural motions with captions, and their mirrored copies; made at the first call.

    Raises:
        InputError: ``folder`` cannot be written to.
    """
    data = TextMotionData(
        NAME,
        annotations=str(folder / "annotations" / NAME),
        motions=str(folder / "motions" / "guoh3dfeats"),
        stats=str(folder / "stats"),
    )
    if not Path(data.annotations, "annotations.json").is_file():
        log.info("making %d procedural motions to search, in %s", SIZE.motions, folder)
        synthesize(folder, SIZE, processes=-1)
    # Resumable: it leaves alone what is there.
    compute_features(folder / "motions" / "joints", data.motions, NAME)
    return data
