"""Feature statistics of a data set's training split."""

import logging
from pathlib import Path

from omegaconf import DictConfig
from tqdm import tqdm

from tmr.data.dataset import read_features
from tmr.data.normalizer import STATISTICS, statistics
from tmr.runs.build import data_of

log = logging.getLogger(__name__)


def motion_stats(cfg: DictConfig) -> None:
    """Write mean and standard deviation over all frames of the training split's motions."""
    data = data_of(cfg)
    paths = sorted({data.motion_file(a.path) for a in data.present("train")})
    with tqdm(paths, desc="statistics", unit=" files", disable=None) as progress:
        statistics(read_features(path) for path in progress).save(Path(data.stats))
    log.info("wrote %s/%s from %d motions", data.stats, STATISTICS, len(paths))
