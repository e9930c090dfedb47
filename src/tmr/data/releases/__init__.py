"""Annotations and splits from the public releases, as people have them on disk.

One module for each form of release; each gives a `DataSet`, which `write_data_set` puts into the
project's layout.
"""

from tmr.data.releases.babel import read_babel
from tmr.data.releases.detect import detect_format
from tmr.data.releases.humanml3d import read_humanml3d
from tmr.data.releases.kitml import read_kitml
from tmr.data.releases.layout import (
    DataSet,
    SourceCount,
    count_sources,
    is_mirrored,
    unmirrored_path,
    with_mirrored,
    write_data_set,
)
from tmr.data.releases.table import read_table

__all__ = [
    "DataSet",
    "SourceCount",
    "count_sources",
    "detect_format",
    "is_mirrored",
    "read_babel",
    "read_humanml3d",
    "read_kitml",
    "read_table",
    "unmirrored_path",
    "with_mirrored",
    "write_data_set",
]
