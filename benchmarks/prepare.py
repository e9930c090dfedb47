"""Speed of the preparation of motions: `python benchmarks/prepare.py FOLDER_OF_MOTION_FILES`.

Imports the files and computes their features and mirrored features with one process and with two,
each in a fresh interpreter, and prints a table. A file counts once, though features are written
for it and for its mirror image. Seconds include starting the processes, reading and writing.
Processor seconds of all processes together tell a busy machine from a slow program. Peak memory is
that of the largest process.
"""

import argparse
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage

from joblib.externals.loky import get_reusable_executor

from tmr.motion.preprocessing import Summary, compute_features, import_folder

STEPS = {"import": import_folder, "features": compute_features}
HEAD = "step      processes    files    frames  seconds  files/s  frames/s  processor s  peak MB"


@dataclass(frozen=True)
class Measured:
    """What one step did and took."""

    done: Summary
    processor_seconds: float
    peak_megabytes: float


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Speed of import and features.")
    parser.add_argument("source", type=Path, help="folder of motion files")
    source = parser.parse_args().source
    print(HEAD, flush=True)
    for processes in (1, 2):
        with tempfile.TemporaryDirectory() as scratch:
            folders = source, Path(scratch, "joints"), Path(scratch, "features")
            for step, before, after in zip(STEPS, folders[:-1], folders[1:], strict=True):
                with ProcessPoolExecutor(1, get_context("spawn")) as fresh:
                    measured = fresh.submit(measure, step, before, after, processes).result()
                show(step, processes, measured)


def measure(step: str, source: Path, target: Path, processes: int) -> Measured:
    """Do one step in this interpreter."""
    done = STEPS[step](source, target, processes=processes)
    if processes > 1:
        get_reusable_executor().shutdown()
    use = [getrusage(RUSAGE_SELF), getrusage(RUSAGE_CHILDREN)]
    seconds = sum(part.ru_utime + part.ru_stime for part in use)
    return Measured(done, seconds, max(part.ru_maxrss for part in use) / 1024)


def show(step: str, processes: int, measured: Measured) -> None:
    """Print one row."""
    done = measured.done
    print(
        f"{step:8}  {processes:9}  {done.written:7}  {done.frames:8}  {done.seconds:7.1f}"
        f"  {done.written / done.seconds:7.1f}  {done.frames / done.seconds:8.0f}"
        f"  {measured.processor_seconds:11.1f}  {measured.peak_megabytes:7.0f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
