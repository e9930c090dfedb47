"""Feature statistics of a data set's training split."""

import logging
from pathlib import Path

from tmr.data.dataset import TextMotionData
from tmr.data.feature_files import read_features
from tmr.data.normalizer import STATISTICS, Normalizer, statistics
from tmr.progress import each

log = logging.getLogger(__name__)


def training_statistics(data: TextMotionData) -> Normalizer:
    """Mean and standard deviation over all frames of the training split's motions, also written
    into the data set's folder of statistics.

    Raises:
        InputError: no training split, or no motion of it.
    """
    paths = sorted({data.motion_file(a.path) for a in data.present("train")})
    normalizer = statistics(read_features(path) for path in each(paths, "statistics", "files"))
    normalizer.save(Path(data.stats))
    log.info("wrote %s/%s from %d motions", data.stats, STATISTICS, len(paths))
    return normalizer
