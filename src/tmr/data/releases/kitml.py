"""The KIT Motion-Language release: ``NNNNN_annotations.json``, a list of captions a motion.

The release has motions of its own (Master Motor Map); that AMASS has most of the same recordings
is told by an index (Plappert et al., 2016; Mahmood et al., 2019).
"""

import logging
from collections.abc import Iterator
from pathlib import Path

import orjson

from tmr.data.annotations import Annotation, Caption
from tmr.data.releases.layout import DataSet, in_key_order
from tmr.data.releases.release import find_part, read_index, read_splits, text_members
from tmr.errors import InputError

log = logging.getLogger(__name__)

CAPTIONS = "_annotations.json"


def read_kitml(release: Path, index: Path | None = None) -> DataSet:
    """Annotations and splits of the KIT-ML release, a folder or its zip archive.

    ``index`` (by default ``index.csv`` in the release) says which AMASS file each motion is; the
    split files lie beside it or in the release. Motions without caption or AMASS file are left
    out and counted.

    Raises:
        InputError: no index, no captions, or no split files.
    """
    index = index or find_part(release, "index.csv")
    if index is None:
        raise InputError(
            f"no index.csv in {release}: KIT-ML does not say which AMASS file a motion is; give a "
            "CSV with key,path,start,end, or the published annotations.json, as index=FILE "
            "(`bash prepare/download_annotations.sh` fetches that)"
        )
    windows = read_index(index)
    captions = dict(_captions(release))
    if not captions:
        raise InputError(f"no *{CAPTIONS} in {release}; give the KIT-ML folder or zip archive")
    annotations = {}
    for key in in_key_order(captions):
        if key in windows and captions[key]:
            window = windows[key]
            annotations[key] = Annotation(
                key=key,
                path=window.path,
                duration=window.end - window.start,
                captions=tuple(Caption(c, window.start, window.end) for c in captions[key]),
            )
    log.info(
        "%d motions of KIT-ML: %d without caption, %d with captions but not in %s",
        len(captions),
        sum(not texts for texts in captions.values()),
        sum(bool(texts) and key not in windows for key, texts in captions.items()),
        index,
    )
    if not annotations:
        raise InputError(f"no motion of {release} is in {index}: are they of the same release?")
    return DataSet(annotations, read_splits(_splits_folder(release, index)))


def _splits_folder(release: Path, index: Path) -> Path:
    found = find_part(release, "train.txt") or find_part(index.parent, "train.txt")
    return index.parent if found is None else found.parent


def _captions(release: Path) -> Iterator[tuple[str, list[str]]]:
    """Key and captions of each motion, empty ones left out."""
    for key, text in text_members(release, CAPTIONS):
        try:
            texts = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise InputError(f"{release}, {key}{CAPTIONS} is not JSON: {error}") from None
        if not isinstance(texts, list) or not all(isinstance(t, str) for t in texts):
            raise InputError(f"{release}, {key}{CAPTIONS}: expected a list of captions")
        yield key, [t.strip() for t in texts if t.strip()]
