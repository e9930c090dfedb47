"""A thousand faults, and what came of each: `python -m benchmarks.faults [KIND ...]`.

Each kind of fault draws its own by a seed. A fault is held when what was attacked goes on with the
right result, or refuses with one line that says what is wrong; it is not held after another result,
a traceback, a path of the server in an answer, code that ran, or a file that is left over. Prints
those that were not held, and a table by kind. `tests/hostile` runs a part of it.
"""

import argparse
import logging
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.faults.common import Faults, Place, try_all
from benchmarks.faults.files import configs, damage, folders, in_children, paths
from benchmarks.faults.page import requests, stops, uploads
from benchmarks.faults.processes import full_disks, interrupts, kills
from tests.workspace import SMALL, Workspace

KINDS: dict[str, Callable[[Place], Faults]] = {
    "configs of run folders": configs,
    "damaged files": damage,
    "folders": folders,
    "paths that leave their folder": paths,
    "bombs in files": in_children,
    "requests to the page": requests,
    "bombs sent to the page": uploads,
    "stops of a busy page": stops,
    "kills": kills,
    "Ctrl-C": interrupts,
    "full disks": full_disks,
}
WHOLE = {
    requests,
    uploads,
    stops,
    kills,
    interrupts,
    full_disks,
}  # need the commands and their data


def workspace_in(folder: Path) -> Workspace:
    """A checkout with the embedded data in small, and a run on it."""
    workspace = Workspace(folder)
    workspace.succeed(f"make quickstart {SMALL}")
    return workspace


def main() -> None:
    """Try all kinds, or those that are named."""
    parser = argparse.ArgumentParser(description="A thousand faults, and what came of each.")
    parser.add_argument("kinds", nargs="*", help=f"words of: {', '.join(KINDS)}")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workspace", type=Path, help="one made before, for trying kinds again")
    given = parser.parse_args()
    logging.disable(logging.ERROR)  # what programs say of what they were given
    rows, measured = [], []
    with tempfile.TemporaryDirectory() as scratch:
        workspace = Workspace(given.workspace) if given.workspace else None
        for kind, faults in KINDS.items():
            if given.kinds and not any(word in kind for word in given.kinds):
                continue
            if faults in WHOLE and workspace is None:
                workspace = workspace_in(Path(scratch) / "workspace")
            began = time.monotonic()
            place = Place(Path(scratch) / kind, random.Random(given.seed), workspace)
            place.make()
            tried, lost = try_all(kind, faults(place))
            measured += place.measured
            rows.append((kind, tried, tried - lost, lost, time.monotonic() - began))
            print(f"{kind}: {tried} tried, {lost} not held", flush=True)
    if measured:
        print("\n| what | memory | longest search beside it | seconds |\n|---|---|---|---|")
        print("\n".join(measured))
    print("\n| kind | tried | held | not held | seconds |\n|---|---|---|---|---|")
    for kind, *numbers in [*rows, ("all", *map(sum, zip(*(row[1:] for row in rows), strict=True)))]:
        print(f"| {kind} | {' | '.join(f'{number:,.0f}' for number in numbers)} |")
    sys.exit(any(row[3] for row in rows))


if __name__ == "__main__":
    main()
