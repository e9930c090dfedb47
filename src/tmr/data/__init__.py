"""Data sets: annotations and splits, normalised motions, batches."""

from tmr.data.annotations import Annotation, Caption, read_annotations, read_split
from tmr.data.batches import LengthBucketSampler, training_loader, validation_loader
from tmr.data.dataset import Batch, Sample, TextMotionData, TextMotionDataset, collate
from tmr.data.normalizer import Normalizer, statistics
from tmr.data.on_device import OnDevice, where_it_fits
from tmr.data.shares import Shares

__all__ = [
    "Annotation",
    "Batch",
    "Caption",
    "LengthBucketSampler",
    "Normalizer",
    "OnDevice",
    "Sample",
    "Shares",
    "TextMotionData",
    "TextMotionDataset",
    "collate",
    "read_annotations",
    "read_split",
    "statistics",
    "training_loader",
    "validation_loader",
    "where_it_fits",
]
