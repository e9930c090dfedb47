"""Mining a library: near duplicates, pairs, captions that do not fit, clusters."""

from tmr.mining.clusters import Clusters, distinctive_words, k_means
from tmr.mining.findings import Thresholds, mine
from tmr.mining.pairs import caption_ranks, groups_of, motion_distance, near_pairs
from tmr.mining.report import ClusterReport, Mined, MotionPair, Suspect, markdown

__all__ = [
    "ClusterReport",
    "Clusters",
    "Mined",
    "MotionPair",
    "Suspect",
    "Thresholds",
    "caption_ranks",
    "distinctive_words",
    "groups_of",
    "k_means",
    "markdown",
    "mine",
    "motion_distance",
    "near_pairs",
]
