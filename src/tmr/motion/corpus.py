"""Whole folders of motion files: import them, and compute their features.

Both functions use every core, go on behind a file that cannot be read, leave alone what is
already done and newer than its source, and give the same files in any order of work.
"""

import logging
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from tqdm import tqdm

from tmr.errors import InputError
from tmr.files import save_array
from tmr.motion.guofeats import checked_joints
from tmr.motion.importing import READERS, read_motion
from tmr.motion.profiles import profile_named
from tmr.motion.published import published_pair

MIRRORED = "M"  # the folder of mirrored features, beside those of the data sets

_FILES_PER_PROCESS = 16  # fewer are done sooner than another process starts

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file: its frames written, or why there are none."""

    source: Path
    frames: int = 0
    too_short: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of a folder: numbers of files, frames written, and seconds taken."""

    written: int
    frames: int
    already_done: int
    too_short: int
    seconds: float


def import_folder(
    source: Path | str,
    target: Path | str,
    profile: str | None = None,
    processes: int | None = None,
) -> Summary:
    """Every motion file below ``source`` as float32 joints (T, 22, 3) in .npy below ``target``.

    Joints are metres, Y up, 20 frames a second; a file keeps its path with the suffix .npy.
    ``profile`` names the skeleton, None finds it file by file; ``processes`` is the number of
    processes, None for one a core. Clips of one frame are skipped with a warning. Raises
    InputError for a folder without motions, an unknown profile, and, after all others are
    written, when files could not be read.
    """
    source, target = Path(source), Path(target)
    if profile is not None:
        profile_named(profile)
    if target.name == MIRRORED:
        raise InputError(f"the name {MIRRORED!r} is kept for mirrored motions: choose another one")
    files = _files(source, READERS, advice="give the folder of your motion files as source=FOLDER")
    targets = {file: target / file.relative_to(source).with_suffix(".npy") for file in files}
    _refuse_clashes(targets)
    pending = [file for file in files if not _is_done(file, [targets[file]])]
    work = [(file, targets[file], profile) for file in pending]
    return _run("import", _import_file, work, len(files), processes)


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
    warning. Raises InputError for a folder without joints, and, after all others are written,
    when files could not be used.
    """
    source, target = Path(source), Path(target)
    if x_negated is None:
        x_negated = source.name == "pose_data"
    folder = source / (name or "")
    advice = "first run python -m prepare.import_motions source=FOLDER name=NAME"
    files = _files(folder, [".npy"], advice)
    work = []
    for file in files:
        relative = file.relative_to(source)
        targets = target / relative, target / MIRRORED / relative
        if not _is_done(file, targets):
            negated = x_negated and "humanact12" not in relative.parts
            work.append((file, *targets, negated))
    return _run("compute features", _compute_file, work, len(files), processes)


def _import_file(source: Path, target: Path, profile: str | None) -> Outcome:
    try:
        joints = read_motion(source, profile)
    except InputError as error:
        return Outcome(source, problem=str(error))
    if len(joints) < 2:
        return Outcome(source, too_short=True)
    save_array(target, joints.astype(np.float32))
    return Outcome(source, frames=len(joints))


def _compute_file(source: Path, target: Path, mirrored_target: Path, x_negated: bool) -> Outcome:
    try:
        joints = _load(source)
        if joints.shape[:1] == (1,):
            return Outcome(source, too_short=True)
        joints = checked_joints(joints)
    except InputError as error:
        return Outcome(source, problem=f"{source}: {error}")
    if x_negated:
        joints = joints * np.array([-1.0, 1.0, 1.0])
    features, mirrored = published_pair(joints)
    save_array(target, features)
    save_array(mirrored_target, mirrored)
    return Outcome(source, frames=len(features))


def _load(path: Path) -> np.ndarray:
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"not a readable .npy file: {error}") from None


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


def _run(
    what: str,
    job: Callable[..., Outcome],
    work: Sequence[tuple[object, ...]],
    total: int,
    processes: int | None,
) -> Summary:
    """Do the job for each item of ``work``, show progress, and report what became of them."""
    start = time.perf_counter()
    processes = min(processes or joblib.cpu_count(), 1 + len(work) // _FILES_PER_PROCESS)
    parallel = joblib.Parallel(processes, return_as="generator_unordered")
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        results: Iterable[Any] = parallel(joblib.delayed(job)(*item) for item in work)
        progress: Iterable[Any] = tqdm(results, what, len(work), unit=" files", disable=None)
        outcomes: list[Outcome] = list(progress)
    outcomes.sort(key=lambda outcome: outcome.source)
    summary = Summary(
        written=sum(outcome.frames > 0 for outcome in outcomes),
        frames=sum(outcome.frames for outcome in outcomes),
        already_done=total - len(work),
        too_short=sum(outcome.too_short for outcome in outcomes),
        seconds=time.perf_counter() - start,
    )
    for outcome in outcomes:
        if outcome.too_short:
            log.warning("%s: skipped, a clip of one frame has no motion", outcome.source)
    problems = [outcome.problem for outcome in outcomes if outcome.problem]
    for problem in problems:
        log.error(problem)
    log.info(
        "%s: %d files with %d frames written in %.1f s, %d done before",
        what,
        summary.written,
        summary.frames,
        summary.seconds,
        summary.already_done,
    )
    if problems:
        raise InputError(
            f"{len(problems)} of {total} files could not be used, mend or remove them and run the "
            f"command again; the first: {problems[0]}"
        )
    if summary.too_short == total:
        raise InputError(f"nothing to do: all {total} files are clips of one frame, without motion")
    return summary
