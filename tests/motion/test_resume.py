"""Killed in the middle and run again, preparation leaves the files of an undisturbed run."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.motion.bvh_text import person_bvh
from tmr.io import PARTIAL
from tmr.motion.manifest import MANIFEST
from tmr.motion.preprocessing import compute_features, import_folder

STEPS = {"import": ("takes", "joints"), "features": ("joints", "features")}
RUN = {
    "import": "from tmr.motion.preprocessing import import_folder as run",
    "features": "from tmr.motion.preprocessing import compute_features as run",
}
CLIPS = 60


def files_below(folder: Path) -> dict[str, tuple[str, int]]:
    """Hash and time of every file but manifests, hidden and temporary ones too."""
    return {
        str(path.relative_to(folder)): (
            hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns
        )
        for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST
    }  # fmt: skip


def clips_below(folder: Path) -> int:
    """How many clips there are while a process writes: folders may go during the walk."""
    return sum(
        name.endswith(".npy")
        for parent, _, names in os.walk(folder) if PARTIAL not in parent for name in names
    )  # fmt: skip


def hashes(files: dict[str, tuple[str, int]]) -> dict[str, str]:
    return {name: digest for name, (digest, _) in files.items()}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "takes").mkdir()
    for i in range(CLIPS):
        take = person_bvh([(0, 90, i * t / 100) for t in range(300)], frame_time="0.05")
        (folder / "takes" / f"{i:03}.bvh").write_text(take)
    import_folder(folder / "takes", folder / "joints", processes=1)
    compute_features(folder / "joints", folder / "features", processes=1)
    return folder


@pytest.mark.parametrize("step", STEPS)
def test_after_a_kill_only_what_was_in_flight_is_done_again(undisturbed, tmp_path, step):
    source, target = undisturbed / STEPS[step][0], tmp_path / "target"
    process = subprocess.Popen(
        [sys.executable, "-c", f"{RUN[step]}; run({str(source)!r}, {str(target)!r}, processes=1)"],
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None and clips_below(target) < CLIPS // 6:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    # A file that was being written when the kill came.
    partial = target / f"{PARTIAL}abcd1234"
    partial.mkdir()
    (partial / "000.npy").write_bytes(b"half")
    for partial in target.rglob(f"{PARTIAL}*"):
        os.utime(partial, (1e9, 1e9))  # a writer may be at work on a young one
    (target / "000.npy").unlink()
    before = {name: file for name, file in files_below(target).items() if PARTIAL not in name}
    assert 0 < len(before) < CLIPS

    again = import_folder if step == "import" else compute_features
    summary = again(source, target, processes=1)
    assert 0 < summary.already_done < CLIPS
    after = files_below(target)
    assert hashes(after) == hashes(files_below(undisturbed / STEPS[step][1]))
    removed = {"000.npy", "M/000.npy"}  # made together
    done_again = [n for n, file in before.items() if after[n] != file and n not in removed]
    # Files count as made when their batch has come back: for features a few short clips, each with
    # its mirror image.
    assert len(done_again) <= (1 if step == "import" else 2 * 4)
