"""HumanML3D and what is released in its form: one text file a motion, and an index of windows.

A line of ``texts/KEY.txt`` is ``caption#words with parts of speech#start#end``; start and end are
seconds within the clip, and 0.0#0.0 is the whole clip (Guo et al., CVPR 2022).
"""

import logging
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tmr.data.annotations import Annotation, Caption
from tmr.data.releases.layout import MIRRORED, DataSet, in_key_order
from tmr.data.releases.release import Window, find_part, read_index, read_splits, text_members
from tmr.errors import InputError

log = logging.getLogger(__name__)

# What HumanML3D's notebook cuts off a whole recording, a T-pose, before it counts the frames of
# index.csv: seconds by source.
NOTEBOOK_TRIM = {
    "Eyes_Japan_Dataset": 3.0,
    "MPI_HDM05": 3.0,
    "TotalCapture": 1.0,
    "MPI_Limits": 1.0,
    "Transitions_mocap": 0.5,
}


def read_humanml3d(
    release: Path,
    index: Path | None = None,
    notebook_trim: bool = False,
    seconds_of: Callable[[str], float | None] = lambda path: None,
) -> DataSet:
    """Annotations and splits of a release with ``texts/`` or ``texts.zip``.

    ``index`` is by default the release's ``index.csv``. The published annotations take its frames
    as they are; ``notebook_trim`` moves the windows of five sources by the seconds that the
    notebook had cut off before, so that they fit whole recordings. A full stop at the end of a
    caption is dropped, as the published annotations do. Keys without a window are left out.

    The windows of HumanAct12 go to the end of their files: ``seconds_of`` gives the length of a
    motion, None where there is no file, and such keys are left out and counted.

    Raises:
        InputError: no texts, index or split files, or a line that cannot be read.
    """
    texts = find_part(release, "texts", "texts.zip")
    index = index or find_part(release, "index.csv")
    if texts is None or index is None:
        missing = "texts/ or texts.zip" if texts is None else "index.csv"
        raise InputError(
            f"no {missing} in {release}; give the folder of HumanML3D's repository as release=..., "
            "or another table of windows as index=FILE"
        )
    windows = read_index(index)
    captions = {
        key: _captions(text, f"{texts}, {key}.txt") for key, text in text_members(texts, ".txt")
    }
    if not captions:
        raise InputError(f"no .txt file in {texts}")
    annotations = {}
    trimmed = endless = 0
    for key in in_key_order(captions):
        window = windows.get(key) or windows.get(key.removeprefix(MIRRORED))
        if window is not None and math.isinf(window.end):
            end = seconds_of(window.path) or math.inf
            endless += math.isinf(end)
            window = None if math.isinf(end) else replace(window, end=end)
        if window is not None and captions[key]:
            trim = NOTEBOOK_TRIM.get(window.path.partition("/")[0], 0.0)
            trimmed += trim > 0
            shift = trim if notebook_trim else 0.0
            mirrored = key not in windows
            annotations[key] = _annotation(key, window, captions[key], shift, mirrored)
    if trimmed:
        log.info(
            "%d keys are of recordings whose first seconds HumanML3D cut off: windows %s",
            trimmed,
            "moved by them" if notebook_trim else "as published (notebook_trim=true moves them)",
        )
    if endless:
        log.warning(
            "%d of %d text files left out: they describe motions to the end of a file that is not "
            "there; those of humanact12 come with HumanML3D's pose_data",
            endless, len(captions),
        )  # fmt: skip
    left_out = len(captions) - len(annotations) - endless
    if left_out:
        log.warning("%d of %d text files left out: no window in %s, or no caption", left_out,
                    len(captions), index)  # fmt: skip
    if not annotations:
        raise InputError(f"no key of {texts} is in {index}: are they of the same release?")
    return DataSet(annotations, read_splits(_splits_folder(release, texts)))


def _splits_folder(release: Path, texts: Path) -> Path:
    found = find_part(release, "train.txt")
    return texts.parent if found is None else found.parent


def _annotation(
    key: str, window: Window, captions: list[Caption], shift: float, mirrored: bool
) -> Annotation:
    start, duration = window.start + shift, window.end - window.start
    return Annotation(
        key=key,
        path=f"{MIRRORED}/{window.path}" if mirrored else window.path,
        duration=duration,
        captions=tuple(
            Caption(c.text, start + c.start, start + min(c.end, duration)) for c in captions
        ),
    )


def _captions(text: str, place: str) -> list[Caption]:
    """Captions of a text file with their seconds within the clip; the whole clip ends at inf.

    Repeated ones count once, as in the published annotations.
    """
    captions = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        fields = line.rsplit("#", 3)
        line_place = f"{place}, line {number}"
        try:
            words, _, start, end = fields
            span = _span(float(start), float(end), line_place)
        except ValueError:
            raise InputError(
                f"{line_place}: expected caption#words#start#end, got {line[:80]!r}"
            ) from None
        if caption := words.removesuffix(".").strip():
            captions.append(Caption(caption, *span))
    return list(dict.fromkeys(captions))


def _span(start: float, end: float, place: str) -> tuple[float, float]:
    # The release has a few "nan" for 0.0.
    start, end = (0.0 if math.isnan(t) else t for t in (start, end))
    if min(start, end) < 0 or math.isinf(start):
        raise ValueError("not a span of time")
    if start == end == 0:
        return 0.0, math.inf
    if end <= start:
        # Eight lines of the release; the published annotations take the whole clip too.
        log.warning("%s: the span %g to %g is empty; the whole clip is taken", place, start, end)
        return 0.0, math.inf
    return start, end
