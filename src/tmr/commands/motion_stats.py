"""Feature statistics of a data set's training split."""

from collections.abc import Mapping
from typing import Any

from tmr.data.statistics import training_statistics
from tmr.runs.build import data_of


def motion_stats(data: Mapping[str, Any]) -> None:
    """Write mean and standard deviation of the training split's features."""
    training_statistics(data_of({"data": data}))
