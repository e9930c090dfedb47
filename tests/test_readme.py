"""Every command block of the README runs as it is written, on a small embedded data set."""

import re

import pytest

from tests.workspace import ROOT, SMALL

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```bash\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("block", BLOCKS)
def test_block_runs(quickstart, block):
    """The quickstart has been made by now: another one has nothing to train."""
    workspace, _ = quickstart
    printed = workspace.follow(block.replace("make quickstart", f"make quickstart {SMALL}"))
    if block == "make quickstart\n":
        assert "epoch" not in printed


def test_blocks_are_found_and_links_lead_somewhere():
    assert BLOCKS[0] == "make quickstart\n"
    assert len(BLOCKS) >= 3
    links = re.findall(r"\]\((?!https?:)([^)]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_command_table_names_only_what_exists():
    for module in re.findall(r"python -m prepare\.(\w+)", README):
        assert (ROOT / "prepare" / f"{module}.py").is_file()
    for script in re.findall(r"python (\w+\.py)", README):
        assert (ROOT / script).is_file()
