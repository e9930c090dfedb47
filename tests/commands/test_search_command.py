import pytest

from tests.workspace import call
from tmr.errors import InputError


def test_later_searches_use_the_library_that_the_first_one_made(quickstart):
    workspace, _ = quickstart
    (made,) = (workspace.folder / "outputs/quickstart/libraries/last").glob("*/rows.safetensors")
    written = made.stat().st_mtime_ns
    printed = workspace.succeed(
        "python search.py run_dir=outputs/quickstart top=3 "
        """text='"a person walks" - 0.5 "a person turns"'"""
    )
    assert made.stat().st_mtime_ns == written
    assert "[WARNING]" not in printed
    found = printed.rsplit('"a person walks" - 0.5 "a person turns"\n', 1)[1].splitlines()
    assert found[0].split()[:3] == ["rank", "score", "motion"]
    scores = [float(line.split()[1]) for line in found[1:]]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)


def test_a_number_that_cannot_be_used_is_refused():
    with pytest.raises(InputError, match="top=0: expected a whole number, at least 1"):
        call("search", "run_dir=nowhere", "text=x", "top=0")
