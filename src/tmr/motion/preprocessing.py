"""Whole folders of motion files: import them, and compute their features.

Both functions use every core, go on behind a file that cannot be used, leave alone what is
already done and newer than its source, also after a kill, and give the same files in any order
of work. Memory holds a few short files, or a long one, for each process.
"""

import csv
import io
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast

import joblib
import numpy as np
from jaxtyping import Float
from tqdm import tqdm

from tmr.errors import InputError
from tmr.io import save_array, write_text
from tmr.motion.conventions import NoMotion, Overrides, Recording, body_axis, up_axis
from tmr.motion.features import checked_joints, joints_to_feature_pairs
from tmr.motion.read import READERS, check_readable, read_motion, read_recording
from tmr.motion.readers.npy import POSE_DATA, load_npy, x_is_negated
from tmr.motion.skeleton import NUM_JOINTS

MIRRORED = "M"  # the folder of mirrored features, beside those of the data sets
SKIPPED = "skipped.csv"  # the report of what was left out, beside what was written

_FILES_PER_PROCESS = 16  # fewer are done sooner than another process starts
_VOTERS = 12  # files that decide on the up axis of a folder
_BATCH_BYTES = 1024 * NUM_JOINTS * 3 * 4  # frames enough to make NumPy's calls worth their cost
_ONE_FRAME = "a clip of one frame has no motion"

Item = TypeVar("Item", bound=tuple[Any, ...])
Result = TypeVar("Result")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file: its frames written, or why there are none."""

    source: Path
    frames: int = 0
    reading: str = ""  # how its numbers were understood
    warnings: tuple[str, ...] = ()  # what is odd about it
    skipped: str = ""  # why it holds no motion
    problem: str = ""  # why it could not be used, with its name


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of a folder: numbers of files, frames written, and seconds taken."""

    written: int
    frames: int
    already_done: int
    skipped: int
    seconds: float


def import_folder(
    source: Path | str,
    target: Path | str,
    overrides: Overrides | None = None,
    processes: int | None = None,
) -> Summary:
    """Every motion file below ``source`` as float32 joints (T, 22, 3) in .npy below ``target``.

    Joints are meters, Y up, right-handed, 20 frames a second; a file keeps its path with the
    suffix .npy. ``overrides`` is what the files do not state about themselves; the up axis, if
    neither does, is the one along which most bodies of the folder stand. ``processes`` is the
    number of processes, None for one a core. Files without motion are skipped with a warning; they
    and what could not be used are listed in ``target/skipped.csv``. Raises InputError for a folder
    without motions, an unknown profile, and, after all others are written, when files could not
    be read.
    """
    source, target, overrides = Path(source), Path(target), overrides or Overrides()
    if target.name == MIRRORED:
        raise InputError(f"the name {MIRRORED!r} is kept for mirrored motions: choose another one")
    files = _files(source, READERS, advice="give the folder of your motion files as source=FOLDER")
    targets = {file: target / file.relative_to(source).with_suffix(".npy") for file in files}
    _refuse_clashes(targets)
    check_readable(files, overrides)
    pending = [file for file in files if not _is_done(file, [targets[file]])]
    if pending and overrides.up is None:
        overrides = replace(overrides, up=_up_axis_of_most(files, overrides))
    work = [(file, targets[file], overrides) for file in pending]
    _sweep(targets[file] for file in pending)
    batches = [[item] for item in work]
    return _run("import", _import_batch, batches, len(files), processes, target / SKIPPED)


def compute_features(
    source: Path | str,
    target: Path | str,
    name: str | None = None,
    x_negated: bool | None = None,
    processes: int | None = None,
) -> Summary:
    """Features and mirrored features, float32 (T-1, 263), of every joint file below ``source``.

    ``source/PATH.npy`` makes ``target/PATH.npy`` and ``target/M/PATH.npy``; with ``name``, only
    files below ``source/name``. ``x_negated`` says that the files have their x axis negated, as
    HumanML3D's notebook writes them, all but those in its folder ``humanact12``; None means that
    they have when ``source`` is called ``pose_data``. Clips of one frame are skipped with a
    warning; they and what could not be used are listed in ``target/name/skipped.csv``. Raises
    InputError for a folder without joints, and, after all others are written, when files could
    not be used.
    """
    source, target = Path(source), Path(target)
    if x_negated is None:
        x_negated = source.name == POSE_DATA
    advice = "first run python -m prepare.import_motions source=FOLDER name=NAME"
    files = _files(source / (name or ""), [".npy"], advice)
    work = []
    for file in files:
        relative = file.relative_to(source)
        targets = target / relative, target / MIRRORED / relative
        if not _is_done(file, targets):
            work.append((file, *targets, x_negated and x_is_negated(relative)))
    _sweep(path for _, *both, _ in work for path in both)
    report = target / (name or "") / SKIPPED
    batches = _batches(work)
    return _run("compute features", _compute_batch, batches, len(files), processes, report)


def _up_axis_of_most(files: Sequence[Path], overrides: Overrides) -> str | None:
    """The axis along which bodies stand in files spread over the folder that do not say it."""
    axes = []
    for file in files[:: -(-len(files) // _VOTERS)]:
        recording = _attempt(read_recording, file, overrides)
        if isinstance(recording, Recording) and recording.up is None:
            axes.append(body_axis(recording.positions))
    return up_axis([axis for axis in axes if np.isfinite(axis).all()])


def _import_batch(items: Sequence[tuple[Path, Path, Overrides]]) -> list[Outcome]:
    return [_attempt(_import_file, *item) for item in items]


def _import_file(source: Path, target: Path, overrides: Overrides) -> Outcome:
    take = read_motion(source, overrides, log_warnings=False)
    if len(take.joints) < 2:
        raise NoMotion(_ONE_FRAME)
    save_array(target, take.joints.astype(np.float32))
    return Outcome(source, len(take.joints), str(take.reading), take.warnings)


def _compute_batch(items: Sequence[tuple[Path, Path, Path, bool]]) -> list[Outcome]:
    outcomes, usable, motions = [], [], []
    for source, *targets, x_negated in items:
        joints = _attempt(_load_joints, source, x_negated)
        if isinstance(joints, Outcome):
            outcomes.append(joints)
        else:
            usable.append((source, *targets))
            motions.append(joints)
    pairs = joints_to_feature_pairs(motions) if motions else []
    for files, pair in zip(usable, pairs, strict=True):
        outcomes.append(_attempt(_save_pair, *files, pair))
    return outcomes


def _load_joints(source: Path, x_negated: bool) -> Float[np.ndarray, "frames 22 3"]:
    joints = load_npy(source)
    if joints.shape[:1] == (1,):
        raise NoMotion(_ONE_FRAME)
    joints = checked_joints(joints)
    return joints * np.array([-1.0, 1.0, 1.0]) if x_negated else joints


def _save_pair(
    source: Path, target: Path, mirrored_target: Path, pair: tuple[np.ndarray, np.ndarray]
) -> Outcome:
    features, mirrored = pair
    save_array(target, features)
    save_array(mirrored_target, mirrored)
    return Outcome(source, len(features))


def _attempt(job: Callable[..., Result], source: Path, *rest: object) -> Result | Outcome:
    """What the job makes of a file, or what is wrong with the file, whatever is in it."""
    try:
        return job(source, *rest)
    except NoMotion as error:
        return Outcome(source, skipped=str(error).removeprefix(f"{source}: "))
    except InputError as error:
        text = str(error)
        return Outcome(source, problem=text if str(source) in text else f"{source}: {text}")
    except Exception as error:  # one file of 15,000 must not cost the others
        what = f"{type(error).__name__}: {error}"
        return Outcome(source, problem=f"{source}: unexpected {' '.join(what.split())}")


def _batches(work: Sequence[Item]) -> list[list[Item]]:
    """Items in groups of whose files not much more than the given number of bytes is read."""
    batches: list[list[Item]] = []
    size = _BATCH_BYTES
    for item in work:
        if size >= _BATCH_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(item)
        size += item[0].stat().st_size
    return batches


def _files(folder: Path, suffixes: Iterable[str], advice: str) -> list[Path]:
    """The files with these suffixes below ``folder``, links followed, hidden ones left out."""
    if not folder.is_dir():
        raise InputError(f"no folder {folder}: {advice}")
    suffixes = tuple(suffixes)
    files = [
        Path(root, name)
        for root, _, names in os.walk(folder, followlinks=True)
        for name in names
        if name.lower().endswith(suffixes) and not name.startswith(".")
    ]
    if not files:
        raise InputError(f"no {' or '.join(suffixes)} file below {folder}: {advice}")
    return sorted(files)


def _refuse_clashes(targets: dict[Path, Path]) -> None:
    sources: dict[Path, Path] = {}
    for source, target in targets.items():
        if target in sources:
            raise InputError(f"{sources[target]} and {source} would both become {target}")
        sources[target] = source


def _is_done(source: Path, targets: Sequence[Path]) -> bool:
    changed = source.stat().st_mtime
    return all(target.exists() and target.stat().st_mtime >= changed for target in targets)


def _sweep(targets: Iterable[Path]) -> None:
    """Delete the temporary files of these targets that a killed run has left."""
    stems: dict[Path, set[str]] = {}
    for target in targets:
        stems.setdefault(target.parent, set()).add(target.stem)
    for folder in filter(Path.is_dir, stems):
        for path in folder.glob(".*.npy"):
            if path.stem[1:].rpartition("-")[0] in stems[folder]:
                path.unlink()


def _run(
    what: str,
    job: Callable[[Sequence[Any]], list[Outcome]],
    batches: Sequence[Sequence[Any]],
    total: int,
    processes: int | None,
    report: Path,
) -> Summary:
    """Do the job for each batch of files, show progress, and report what became of them."""
    start = time.perf_counter()
    pending = sum(map(len, batches))
    processes = min(processes or joblib.cpu_count(), 1 + pending // _FILES_PER_PROCESS)
    parallel = joblib.Parallel(processes, return_as="generator_unordered")
    outcomes: list[Outcome] = []
    with (
        joblib.parallel_config("loky", inner_max_num_threads=1),
        tqdm(desc=what, total=pending, unit=" files", disable=None) as progress,
    ):
        results = parallel(joblib.delayed(job)(batch) for batch in batches)
        for done in cast(Iterable[list[Outcome]], results):
            outcomes += done
            progress.update(len(done))
    outcomes.sort(key=lambda outcome: outcome.source)
    summary = Summary(
        written=sum(outcome.frames > 0 for outcome in outcomes),
        frames=sum(outcome.frames for outcome in outcomes),
        already_done=total - pending,
        skipped=sum(bool(outcome.skipped) for outcome in outcomes),
        seconds=time.perf_counter() - start,
    )
    _tell(what, outcomes, summary, report)
    problems = [outcome.problem for outcome in outcomes if outcome.problem]
    if problems:
        raise InputError(
            f"{len(problems)} of {total} files could not be used, mend or remove them and run the "
            f"command again (all are in {report}); the first: {problems[0]}"
        )
    if summary.skipped == total:
        reasons = ", ".join(sorted({outcome.skipped for outcome in outcomes}))
        raise InputError(f"nothing to do: all {total} files are without motion ({reasons})")
    return summary


def _tell(what: str, outcomes: Sequence[Outcome], summary: Summary, report: Path) -> None:
    """Log what became of the files, and write those that were left out to the report."""
    readings = Counter(outcome.reading for outcome in outcomes if outcome.reading)
    for reading, count in readings.most_common():
        log.info("%s: %d files read as %s", what, count, reading)
    left_out = []
    for outcome in outcomes:
        for warning in outcome.warnings:
            log.warning("%s: %s", outcome.source, warning)
        if outcome.skipped:
            log.warning("%s: skipped, %s", outcome.source, outcome.skipped)
            left_out.append((outcome.source, f"skipped, {outcome.skipped}"))
        if outcome.problem:
            log.error(outcome.problem)
            reason = outcome.problem.removeprefix(str(outcome.source)).lstrip(":, ")
            left_out.append((outcome.source, reason))
    if left_out:
        table = io.StringIO()
        csv.writer(table, lineterminator="\n").writerows([("file", "reason"), *left_out])
        write_text(report, table.getvalue())
    else:
        report.unlink(missing_ok=True)
    log.info(
        "%s: %d files with %d frames written in %.1f s, %d done before, %d skipped",
        what,
        summary.written,
        summary.frames,
        summary.seconds,
        summary.already_done,
        summary.skipped,
    )
