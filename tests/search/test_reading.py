"""Motion files read in several processes."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tmr.search.reading import read_motions
from tmr.search.sources import FolderSource, Listed, Motion


@dataclass(frozen=True)
class Deadly(FolderSource):
    """Kills whoever reads the file of this name, as an operating system without memory does."""

    victim: str = ""

    def read(self, listed: Listed) -> Motion:
        if listed.take.file == self.victim:
            os.kill(os.getpid(), signal.SIGKILL)
        return Motion(listed.take, np.zeros((4, 263), np.float32))


def test_a_file_that_kills_its_reader_costs_no_other(tmp_path: Path):
    names = [f"{number:02}" for number in range(16)]
    for name in names:
        (tmp_path / f"{name}.bvh").touch()
    source = Deadly(tmp_path, victim="15.bvh")
    skipped = {}
    keys = [motion.take.key for motion in read_motions(source, source.list(), skipped)]
    assert keys == [name for name in names if name != "15"]
    assert list(skipped) == ["15.bvh"]
    assert "reader ended" in skipped["15.bvh"]
