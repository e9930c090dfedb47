"""What datasets/README.md shows is what the code reads."""

import re
from pathlib import Path

import pytest

from tmr.data import read_annotations
from tmr.data.releases import read_table
from tmr.motion.skeleton_maps import profile_named


@pytest.fixture
def blocks(root: Path) -> dict[str, list[str]]:
    """Fenced blocks by language."""
    text = (root / "datasets" / "README.md").read_text("utf-8")
    found: dict[str, list[str]] = {}
    for language, block in re.findall(r"^```(\w+)\n(.*?)^```$", text, flags=re.DOTALL | re.M):
        found.setdefault(language, []).append(block)
    return found


def test_commands_scripts_and_configs_exist(blocks, root):
    shown = "".join(blocks["text"])
    modules = re.findall(r"python -m prepare\.(\w+)", shown)
    scripts = re.findall(r"bash (\S+)", shown)
    assert len(modules) > 10 and len(scripts) > 2
    assert [m for m in modules if not (root / "prepare" / f"{m}.py").is_file()] == []
    assert [s for s in scripts if not (root / s).is_file()] == []
    names = re.findall(r"data=([a-z]\w+)", shown)
    assert [n for n in names if not (root / "configs" / "data" / f"{n}.yaml").is_file()] == []


def test_the_examples_of_files_are_read(blocks, tmp_path):
    (tmp_path / "annotations.json").write_text(blocks["json"][0])
    assert read_annotations(tmp_path)["000191"].captions[0].end == 2.45
    (tmp_path / "mine.yaml").write_text(blocks["yaml"][0])
    assert profile_named(str(tmp_path / "mine.yaml")).spine[0] == "Hips"
    (table,) = [block for block in blocks["text"] if block.startswith("path,caption")]
    (tmp_path / "captions.csv").write_text(table)
    built = read_table(
        tmp_path / "captions.csv", lambda path: (path, 9.0), {"val": 0.0, "test": 0.0}
    )
    assert built.splits["train"] == ["walks_take_01", "Mwalks_take_01"]
    assert built.annotations["walks_take_02"].captions[0].text == "somebody limps, then sits down"
