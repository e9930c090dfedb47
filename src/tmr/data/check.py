"""Say whether a data set is ready, and draw some of its motions with their captions."""

import logging
import textwrap
from pathlib import Path

import numpy as np

from tmr.data import TextMotionData
from tmr.data.caption_embeddings import unique_captions
from tmr.data.dataset import frames_of, read_features
from tmr.data.validate import Report, SplitReport, inspect, spread
from tmr.motion.contact_sheet import contact_sheet
from tmr.motion.features import features_to_joints
from tmr.text import EmbeddingCache

TITLE_WIDTH = 112  # characters above a row of the picture

log = logging.getLogger(__name__)


def check(
    data: TextMotionData, embeddings: EmbeddingCache, sheet: Path | None = None, clips: int = 5
) -> Report:
    """What is there and what is missing, also logged; ``report.problems`` is empty when ready.

    With ``sheet``, a picture of ``clips`` test motions with their first captions is written there.

    Raises:
        InputError: no annotations, or embeddings of other language models.
    """
    report = inspect(data, progress=True)
    if not any("empty caption" in problem for problem in report.problems):
        _report_embeddings(data, embeddings, report)
    log.info("data set %s\n%s", data.name, split_table(report.splits))
    for note in report.notes:
        log.info("note: %s", note)
    for problem in report.problems:
        log.error("problem: %s", problem)
    drawn = report.split("test") or next(iter(report.splits), None)
    if sheet is not None and drawn is not None and drawn.usable:
        draw_sheet(data, drawn, sheet, clips)
        log.info("%s shows motions of the split %s", sheet, drawn.name)
    verdict = f"not ready: {len(report.problems)} problems" if report.problems else "ready"
    log.info("%s is %s", data.name, verdict)
    return report


def _report_embeddings(data: TextMotionData, embeddings: EmbeddingCache, report: Report) -> None:
    captions = unique_captions(Path(data.annotations))
    missing = embeddings.missing(captions)
    name = embeddings.model.name
    if missing:
        report.problems.append(
            f"{len(missing)} of {len(captions)} captions have no embeddings by {name}: "
            f"python -m prepare.text_embeddings data={data.name} language_model={name}"
            f"{_others(embeddings)}"
        )


def _others(embeddings: EmbeddingCache) -> str:
    folders = embeddings.folder.parent.glob("*/")
    names = sorted(f.name for f in folders if f.name != embeddings.folder.name)
    return (
        f" (there are those of language_model={' and language_model='.join(names)})"
        if names
        else ""
    )


def draw_sheet(data: TextMotionData, split: SplitReport, path: Path, clips: int) -> None:
    """A contact sheet of a split, from its shortest first caption to its longest."""
    motions, titles = [], []
    for annotation in spread(split.usable, clips):
        caption = annotation.captions[0]
        features = read_features(data.motion_file(annotation.path))
        begin, end = frames_of(caption, len(features))
        if begin < end:
            motions.append(features_to_joints(features)[begin:end])
            title = f"{annotation.key}: {caption.text}"
            titles.append(textwrap.shorten(title, TITLE_WIDTH, placeholder=" ..."))
    contact_sheet(path, motions, titles)


def split_table(splits: list[SplitReport]) -> str:
    """A line for each split: keys, those without annotation and without motion, usable motions and
    captions, captions left out for their length, repeated first captions, hours, lengths."""
    width = max([len("split"), *(len(s.name) for s in splits)])
    lines = [
        f"{'split':{width}} {'keys':>7} {'no annot.':>9} {'no motion':>9} {'usable':>7} "
        f"{'captions':>8} {'length':>7} {'repeated':>8} {'hours':>6}  seconds of captions"
    ]
    for s in splits:
        lines.append(
            f"{s.name:{width}} {s.keys:7d} {s.without_annotation:9d} {s.without_motion:9d} "
            f"{len(s.usable):7d} {s.captions:8d} {s.wrong_length:7d} {s.repeated:8d} "
            f"{sum(a.duration for a in s.usable) / 3600:6.2f}  {_range(s.seconds)}"
        )
    return "\n".join(lines)


def _range(seconds: list[float]) -> str:
    if not seconds:
        return "-"
    return f"{seconds[0]:.1f} to {seconds[-1]:.1f}, median {np.median(seconds):.1f}"
