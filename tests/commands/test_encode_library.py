import pytest

from tests.workspace import call
from tmr.commands.encode_library import share_of
from tmr.errors import InputError


def test_a_slurm_array_gives_each_task_its_share():
    array = {"SLURM_ARRAY_TASK_ID": "5", "SLURM_ARRAY_TASK_MIN": "2", "SLURM_ARRAY_TASK_COUNT": "8"}
    assert share_of(None, array) == (3, 8)
    assert share_of(None, {}) == (0, 1)
    assert share_of("1/4", array) == (1, 4)
    for wrong in ("4/4", "a/2", "3", "-1/2"):
        with pytest.raises(InputError, match="expected I/N, I from 0 to N - 1"):
            share_of(wrong, {})


def test_a_source_is_needed(tmp_path):
    with pytest.raises(InputError, match="give either source=FOLDER"):
        call("encode_library", "run_dir=nowhere", f"library={tmp_path}/library")
    with pytest.raises(InputError, match=r"windows=.*lengths of at least 0.5"):
        call(
            "encode_library", "run_dir=nowhere", f"library={tmp_path}/library",
            f"source={tmp_path}", "windows=[0.1]",
        )  # fmt: skip
