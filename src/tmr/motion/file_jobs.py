"""Files made from files: in parallel, each only when its bytes or options have changed.

A job makes one or more files from one. The manifest beside them says what they were made from;
what is listed there, unchanged, is left alone. Files whose source has gone are removed. A job that
fails costs no other one, and leaves nothing of an earlier run behind.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import joblib

from tmr.errors import InputError
from tmr.io import call_in, remove_leftovers
from tmr.motion.conventions import NoMotion
from tmr.motion.manifest import Manifest, Stamp
from tmr.progress import Progress
from tmr.spreadsheet import write_rows

SKIPPED = "skipped.csv"  # the report of what was left out, beside what was written

_FILES_PER_PROCESS = 16  # fewer are done sooner than another process starts
_FEW = 3  # files with the same warning that are named each

Result = TypeVar("Result")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """One file to make others from.

    ``name`` is the first target relative to the folder of its manifest; ``sources`` are all files
    that are read, ``settings`` is what the work depends on beside their bytes.
    """

    name: str
    sources: tuple[Path, ...]
    targets: tuple[Path, ...]
    settings: Any
    fingerprint: str  # of the settings and the version of the code

    @property
    def source(self) -> Path:
        """The file that stands for the job."""
        return self.sources[0]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file: its frames written, or why there are none."""

    source: Path
    frames: int = 0
    stamp: Stamp | None = None
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
    removed: int = 0


@dataclass(slots=True)
class Folder:
    """The jobs of one folder of made files, with its manifest.

    ``targets_of`` gives the files that a name of the manifest stands for.
    """

    manifest: Manifest
    jobs: list[Job]
    targets_of: Callable[[str], Sequence[Path]]

    def begin(self, source: Path, overwrite: bool, advice: str) -> None:
        """Check that the folder has been made from ``source``, and note that it will be.

        Raises:
            InputError: it was made from another folder, which is still there.
        """
        before = self.manifest.source
        if before not in (None, source.absolute()) and before.is_dir() and not overwrite:
            raise InputError(
                f"{self.manifest.path.parent} was made from {before}, not from {source}: give "
                f"another {advice}, or overwrite=true to put these in the place of those"
            )
        self.manifest.begin(source)

    def pending(self, overwrite: bool) -> list[Job]:
        """The jobs to do: all with ``overwrite``, else those not done with these bytes."""
        return [
            job
            for job in self.jobs
            if overwrite
            or not all(target.is_file() for target in job.targets)
            or not self.manifest.is_done(job.name, job.sources, job.fingerprint)
        ]

    def remove_orphans(self, kept: Iterable[str]) -> list[Path]:
        """Delete what was made from files that are gone; ``kept`` are names of other ones."""
        names = {job.name for job in self.jobs} | set(kept)
        orphans = [name for name in self.manifest.names if name not in names]
        for name in orphans:
            self.remove(name)
        return [path for name in orphans for path in self.targets_of(name)]

    def remove(self, name: str) -> None:
        """Delete what stands under a name."""
        for target in self.targets_of(name):
            target.unlink(missing_ok=True)
        self.manifest.remove(name)


def run(
    what: str,
    work: Callable[[Sequence[Job]], list[Outcome]],
    folders: Sequence[Folder],
    batches: Callable[[Sequence[Job]], Sequence[Sequence[Job]]],
    report: Path,
    overwrite: bool = False,
    unusable: Sequence[Outcome] = (),
    kept: Iterable[str] = (),
    processes: int | None = None,
) -> Summary:
    """Do the pending jobs, show progress, and report what became of every file.

    Raises:
        InputError: files could not be used, after all others are done; or none holds a motion.
    """
    start = time.perf_counter()
    orphans = [path for folder in folders for path in folder.remove_orphans(kept)]
    owner = {job.source: (folder, job) for folder in folders for job in folder.jobs}
    pending = [job for folder in folders for job in folder.pending(overwrite)]
    for parent in {target.parent for job in pending for target in job.targets}:
        remove_leftovers(parent)
    total = len(owner) + len(unusable)
    processes = min(processes or joblib.cpu_count(), 1 + len(pending) // _FILES_PER_PROCESS)
    parallel = joblib.Parallel(processes, return_as="generator_unordered")
    outcomes = list(unusable)
    with (
        joblib.parallel_config("loky", inner_max_num_threads=1),
        Progress(what, "files", len(pending)) as progress,
    ):
        results = parallel(
            joblib.delayed(call_in)(Path.cwd(), work, batch) for batch in batches(pending)
        )
        for done in cast(Iterable[list[Outcome]], results):
            for outcome in done:
                folder, job = owner[outcome.source]
                if outcome.stamp is not None:
                    folder.manifest.add(job.name, job.fingerprint, outcome.stamp)
                else:
                    folder.remove(job.name)
            outcomes += done
            progress.update(len(done))
    for folder in folders:
        folder.manifest.compact()
    outcomes.sort(key=lambda outcome: outcome.source)
    summary = Summary(
        written=sum(outcome.frames > 0 for outcome in outcomes),
        frames=sum(outcome.frames for outcome in outcomes),
        already_done=len(owner) - len(pending),
        skipped=sum(bool(outcome.skipped) for outcome in outcomes),
        seconds=time.perf_counter() - start,
        removed=len(orphans),
    )
    _log(what, outcomes, summary, report)
    if orphans:
        log.warning(
            "%s: %d files removed that were made from files now gone, such as %s",
            what, len(orphans), orphans[0],
        )  # fmt: skip
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


def attempt(job: Callable[..., Result], source: Path, *rest: object) -> Result | Outcome:
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


def _log(what: str, outcomes: Sequence[Outcome], summary: Summary, report: Path) -> None:
    """Log what became of the files, and write those that were left out to the report."""
    readings = Counter(outcome.reading for outcome in outcomes if outcome.reading)
    for reading, count in readings.most_common():
        log.info("%s: %d files read as %s", what, count, reading)
    _log_warnings(what, outcomes)
    left_out = []
    for outcome in outcomes:
        if outcome.skipped:
            log.warning("%s: skipped, %s", outcome.source, outcome.skipped)
            left_out.append((outcome.source, f"skipped, {outcome.skipped}"))
        if outcome.problem:
            log.error(outcome.problem)
            reason = outcome.problem.removeprefix(str(outcome.source)).lstrip(":, ")
            left_out.append((outcome.source, reason))
    write_skipped(report, left_out)
    log.info(
        "%s: %d files with %d frames written in %.1f s, %d done before, %d skipped",
        what,
        summary.written,
        summary.frames,
        summary.seconds,
        summary.already_done,
        summary.skipped,
    )


def write_skipped(report: Path, skipped: Iterable[tuple[object, str]]) -> None:
    """Write files with the reasons why they were left out; no report where none was."""
    rows = [("file", "reason"), *skipped]
    if len(rows) > 1:
        write_rows(report, rows)
    else:
        report.unlink(missing_ok=True)


def _log_warnings(what: str, outcomes: Sequence[Outcome]) -> None:
    """Log what is odd about files; what many have in common is one line."""
    files: dict[str, list[Path]] = {}
    for outcome in outcomes:
        for warning in outcome.warnings:
            files.setdefault(warning, []).append(outcome.source)
    for warning, sources in files.items():
        if len(sources) > _FEW:
            log.warning("%s: %d files, such as %s: %s", what, len(sources), sources[0], warning)
        else:
            for source in sources:
                log.warning("%s: %s", source, warning)
