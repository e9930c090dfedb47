import pytest

from tests.workspace import call
from tmr.errors import InputError


def test_later_searches_use_the_gallery_that_the_first_one_made(quickstart):
    workspace, _ = quickstart
    galleries = workspace.folder / "outputs/quickstart/galleries/last"
    (made,) = galleries.glob("*_motions.safetensors")
    written = made.stat().st_mtime_ns
    printed = workspace.succeed(
        "python search.py run_dir=outputs/quickstart top=3 index=faiss "
        """text='"a person walks" - 0.5 "a person turns"'"""
    )
    assert made.stat().st_mtime_ns == written
    assert "[WARNING]" not in printed
    found = printed.rsplit('"a person walks" - 0.5 "a person turns"\n', 1)[1].splitlines()
    scores = [float(line.split()[0]) for line in found]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)
    assert len(list(galleries.glob("*.faiss"))) == 1


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("top=0", "top=0: expected a whole number, at"),
        ("index=hnsw", "one of exact, faiss"),
    ],
)
def test_options_that_cannot_be_used_are_refused(option, message):
    with pytest.raises(InputError, match=message):
        call("search", "run_dir=nowhere", "text=x", option)
