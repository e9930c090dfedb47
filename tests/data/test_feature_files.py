"""Feature files by the names that releases of AMASS give them."""

from pathlib import Path

import numpy as np
import pytest

from tmr.data.feature_files import feature_file


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("BioMotionLab_NTroje/rub001/0000_poses", "BMLrub/rub001/0000_poses"),
        ("BMLrub/rub001/0000_poses", "BioMotionLab_NTroje/rub001/0000_poses"),
        ("MPI_HDM05/bd/HDM_bd_01_poses", "HDM05/bd/HDM_bd_01_stageii"),
        ("ACCAD/s/A1 - Stand_poses", "ACCAD/s/A1_-_Stand_stageii"),
        ("KIT/3/kick_poses", "KIT/KIT/3/kick_poses"),
        ("CMU/CMU/75/75_11_poses", "CMU/75/75_11_poses"),
        ("DFaust67/DFaust_67/50002/50002_hips_poses", "DFaust/50002/50002_hips_poses"),
        ("M/MPI_Limits/03099/op3_poses", "M/PosePrior/PosePrior/03099/op3_poses"),
    ],
)
def test_a_motion_is_found_by_the_names_of_other_releases(tmp_path, path, there):
    assert feature_file(tmp_path, path) == tmp_path / f"{path}.npy"
    file = tmp_path / f"{there}.npy"
    file.parent.mkdir(parents=True)
    np.save(file, np.zeros((2, 263)))
    assert feature_file(tmp_path, path) == file


@pytest.mark.parametrize(
    ("path", "there"), [("mine/walk_poses", "mine/walk"), ("CMU/01/a_poses", "M/CMU/01/a_poses")]
)
def test_another_motion_is_no_other_name(tmp_path, path, there):
    file = tmp_path / f"{there}.npy"
    file.parent.mkdir(parents=True)
    np.save(file, np.zeros((2, 263)))
    assert feature_file(tmp_path, path) == Path(tmp_path, f"{path}.npy")
