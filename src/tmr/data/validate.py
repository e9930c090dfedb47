"""Whether a data set is ready to train on: what is there, what is missing, what does not fit."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tmr.data.annotations import Annotation, is_test, read_annotations, read_split, within
from tmr.data.dataset import TextMotionData, read_features
from tmr.data.merge import Spans
from tmr.data.normalizer import Normalizer, statistics
from tmr.errors import InputError
from tmr.motion.skeleton import FPS
from tmr.progress import each

NEEDED = ("train", "val", "test")
# Statistics differ by rounding between machines; features that were made again differ by more.
TOLERANCE = 1e-3  # of a standard deviation


@dataclass(frozen=True, slots=True)
class SplitReport:
    """Counts of one split.

    ``usable`` are the annotations that training or evaluation takes: with a motion file that can
    be read, and with their captions of a usable length only. ``repeated`` counts those whose first
    caption another one of the split has too: no model can tell these apart.
    """

    name: str
    keys: int
    without_annotation: int
    without_motion: int
    wrong_length: int
    repeated: int
    usable: tuple[Annotation, ...]

    @property
    def captions(self) -> int:
        """Number of usable captions."""
        return sum(len(a.captions) for a in self.usable)

    @property
    def seconds(self) -> list[float]:
        """Lengths of the usable captions, sorted."""
        return sorted(c.seconds for a in self.usable for c in a.captions)


@dataclass(slots=True)
class Report:
    """What was found: ``problems`` stop training or spoil its figures, ``notes`` are good to know.

    Both are sentences that end with the command that mends it, where there is one.
    """

    splits: list[SplitReport] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def split(self, name: str) -> SplitReport | None:
        """The report of one split."""
        return next((s for s in self.splits if s.name == name), None)


def inspect(data: TextMotionData, progress: bool = False) -> Report:
    """Everything about annotations, splits, motions and statistics; every feature file is read.

    Raises:
        InputError: there are no annotations, or they cannot be read.
    """
    report = Report()
    annotations = read_annotations(Path(data.annotations))
    splits = _splits(data, report)
    listed = {key for keys in splits.values() for key in keys}
    paths = sorted({annotations[key].path for key in listed if key in annotations})
    frames = _frames(data, paths, report, progress)
    report.splits = [_split(data, name, keys, annotations, frames) for name, keys in splits.items()]
    for split in report.splits:
        if not split.usable:
            report.problems.append(
                f"split {split.name} has no usable motion: python -m prepare.compute_guoh3dfeats"
            )
    _report_captions(annotations, frames, report)
    _report_overlap(report)
    _report_statistics(data, report, progress)
    return report


def _splits(data: TextMotionData, report: Report) -> dict[str, list[str]]:
    folder = Path(data.annotations)
    found = sorted(
        (path.stem for path in (folder / "splits").glob("*.txt")),
        key=lambda name: (NEEDED.index(name) if name in NEEDED else len(NEEDED), name),
    )
    splits = {name: read_split(folder, name) for name in found}
    missing = [name for name in NEEDED if name not in splits]
    if missing:
        report.problems.append(
            f"no split {', '.join(missing)} in {folder}/splits: one key a line in NAME.txt"
        )
    for name, keys in splits.items():
        twice = len(keys) - len(set(keys))
        if twice:
            report.problems.append(f"split {name} lists {twice} keys more than once")
    for i, name in enumerate(NEEDED):
        for other in NEEDED[i + 1 :]:
            common = set(splits.get(name, ())) & set(splits.get(other, ()))
            if common:
                report.problems.append(
                    f"{len(common)} keys are in both {name} and {other}, such as {min(common)}"
                )
    return splits


def _frames(
    data: TextMotionData, paths: Sequence[str], report: Report, progress: bool
) -> dict[str, int]:
    """Frames of every motion whose features can be read."""
    frames, missing = {}, []
    files = {path: data.motion_file(path) for path in paths}
    for path, file in each(files.items(), "motions", "files", progress):
        if not file.is_file():
            missing.append(file)
            continue
        try:
            frames[path] = len(read_features(file))
        except InputError as error:
            report.problems.append(str(error))
    renamed = {path: file for path, file in files.items() if not file.match(f"{path}.npy")}
    if renamed:
        path, file = min(renamed.items())
        report.notes.append(
            f"{len(renamed)} motions are taken from files with the name of another release of "
            f"AMASS, such as {file} for {path}"
        )
    if missing:
        report.notes.append(
            f"{len(missing)} of {len(paths)} motions have no feature file, such as {missing[0]}: "
            "they are left out; python -m prepare.compute_guoh3dfeats makes them from joints"
        )
    return frames


def _split(
    data: TextMotionData,
    name: str,
    keys: Sequence[str],
    annotations: Mapping[str, Annotation],
    frames: Mapping[str, int],
) -> SplitReport:
    known = [annotations[key] for key in keys if key in annotations]
    shortest, longest = (0.0, np.inf) if is_test(name) else (data.min_seconds, data.max_seconds)
    fitting = [within(a, shortest, longest) for a in known]
    usable = tuple(a for a in fitting if a.captions and a.path in frames)
    first = Counter(a.captions[0].text for a in usable)
    return SplitReport(
        name=name,
        keys=len(keys),
        without_annotation=len(keys) - len(known),
        without_motion=sum(a.path not in frames for a in known),
        wrong_length=sum(len(a.captions) for a in known) - sum(len(a.captions) for a in fitting),
        repeated=sum(count for count in first.values() if count > 1),
        usable=usable,
    )


def _report_captions(
    annotations: Mapping[str, Annotation], frames: Mapping[str, int], report: Report
) -> None:
    empty = [a.key for a in annotations.values() if not all(c.text.strip() for c in a.captions)]
    if empty:
        report.problems.append(f"{len(empty)} keys have an empty caption, such as {empty[0]}")
    twice = [a.key for a in annotations.values() if len(set(a.captions)) < len(a.captions)]
    if twice:
        report.notes.append(f"{len(twice)} keys have a caption twice, such as {twice[0]}")
    # A feature file is one frame shorter than the motion, and a release may round up.
    beyond = [
        a.key
        for a in annotations.values()
        if a.path in frames
        and max((c.end for c in a.captions), default=0.0) > frames[a.path] / FPS + 0.25
    ]
    if beyond:
        report.notes.append(
            f"{len(beyond)} keys have captions that end after their motion, such as {beyond[0]}: "
            "is it the motion that was described?"
        )


def _report_overlap(report: Report) -> None:
    train, test = report.split("train"), report.split("test")
    if train and test:
        shown = Spans(test.usable)
        leaks = [a.key for a in train.usable if shown.without(a).captions != a.captions]
        if leaks:
            report.notes.append(
                f"{len(leaks)} training motions share seconds of a recording with a test motion, "
                f"such as {leaks[0]}; prepare.combine drops such captions"
            )


def _report_statistics(data: TextMotionData, report: Report, progress: bool) -> None:
    train = report.split("train")
    if train is None or not train.usable:
        return
    remedy = f"python -m prepare.motion_stats data={data.name}"
    try:
        saved = data.normalizer()
    except InputError as error:
        report.problems.append(str(error))
        return
    paths = sorted({data.motion_file(a.path) for a in train.usable})
    bar = each(paths, "statistics", "files", progress)
    difference = deviation(saved, statistics(read_features(path) for path in bar))
    if difference > TOLERANCE:
        report.problems.append(
            f"the statistics in {data.stats} are not those of the {len(paths)} training motions "
            f"(off by up to {difference:.3g} standard deviations): {remedy}"
        )


def deviation(saved: Normalizer, fresh: Normalizer) -> float:
    """How far two statistics are apart: the largest difference of means or of standard deviations,
    in standard deviations."""
    std = fresh.std.clamp(min=1e-6)
    parts = [(saved.mean - fresh.mean) / std, (saved.std - fresh.std) / std]
    return max(float(part.abs().max()) for part in parts)


def spread(annotations: Sequence[Annotation], count: int) -> list[Annotation]:
    """Up to ``count`` annotations from the shortest first caption to the longest, evenly."""
    ordered = sorted(annotations, key=lambda a: (a.captions[0].seconds, a.key))
    places = np.linspace(0, len(ordered) - 1, min(count, len(ordered))).round().astype(int)
    return [ordered[i] for i in places]
