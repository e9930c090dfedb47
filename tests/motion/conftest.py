"""Golden features, and the real clips that the tests of this folder read."""

import tarfile
from pathlib import Path

import numpy as np
import pytest

GOLDEN_BANDAI = ("dataset-2_raise-up-left-hand_normal_001", "dataset-1_dash_angry_001")


@pytest.fixture(scope="session")
def golden(shared: Path) -> dict[str, np.ndarray]:
    """Arrays of golden/features.npz by name."""
    with np.load(shared / "golden" / "features.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="session")
def bandai_bvh(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every raise-up-left-hand and raise-up-right-hand clip, and the golden ones."""
    folder = tmp_path_factory.mktemp("bandai_bvh")
    with tarfile.open(shared / "data" / "bandai" / "bandai_bvh.tar.xz", "r|xz") as archive:
        for member in archive:
            name = Path(member.name).stem
            if name in GOLDEN_BANDAI or "raise-up-left" in name or "raise-up-right" in name:
                archive.extract(member, folder, filter="data")
    return folder
