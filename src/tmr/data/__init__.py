"""Data sets: annotations and splits, normalized motions, batches."""

from tmr.data.annotations import Annotation, Caption, read_annotations, read_split
from tmr.data.caption_pairs import CaptionPairs, CaptionPool
from tmr.data.dataset import Batch, Sample, TextMotionData, TextMotionDataset, collate
from tmr.data.device_dataset import DeviceDataset, place_on_device_if_it_fits
from tmr.data.normalizer import Normalizer, statistics
from tmr.data.samplers import (
    DistributedBatchSampler,
    LengthBucketSampler,
    training_loader,
    validation_loader,
)

__all__ = [
    "Annotation",
    "Batch",
    "Caption",
    "CaptionPairs",
    "CaptionPool",
    "DeviceDataset",
    "DistributedBatchSampler",
    "LengthBucketSampler",
    "Normalizer",
    "Sample",
    "TextMotionData",
    "TextMotionDataset",
    "collate",
    "place_on_device_if_it_fits",
    "read_annotations",
    "read_split",
    "statistics",
    "training_loader",
    "validation_loader",
]
