"""Speed of the preparation of motions: `python benchmarks/prepare.py FOLDER_OF_BVH_FILES`.

Imports the files and computes their features and mirrored features with one process and with
two, and prints a table of files and frames a second. Starting the processes and writing the
files is part of the time.
"""

import argparse
import tempfile
from pathlib import Path

from tmr.motion.corpus import Summary, compute_features, import_folder


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Speed of import and features.")
    parser.add_argument("source", type=Path, help="folder of motion files")
    source = parser.parse_args().source
    print("step      processes    files    frames  seconds  files/s  frames/s")
    for processes in (1, 2):
        with tempfile.TemporaryDirectory() as scratch:
            joints = Path(scratch, "joints")
            show("import", processes, import_folder(source, joints, processes=processes))
            features = compute_features(joints, Path(scratch, "features"), processes=processes)
            show("features", processes, features)


def show(step: str, processes: int, done: Summary) -> None:
    """Print one row."""
    print(
        f"{step:8}  {processes:9}  {done.written:7}  {done.frames:8}  {done.seconds:7.1f}"
        f"  {done.written / done.seconds:7.1f}  {done.frames / done.seconds:8.0f}"
    )


if __name__ == "__main__":
    main()
