"""The examples of docs/generation.md run as they are written, one behind the other."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.workspace import ROOT, Workspace

TEXT = (ROOT / "docs" / "generation.md").read_text(encoding="utf-8")


def examples(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, flags=re.DOTALL | re.MULTILINE)


def test_the_python_examples_run(generator: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(generator.folder)
    names: dict[str, Any] = {}
    for example in examples("python"):
        exec(compile(example, "docs/generation.md", "exec"), names)
    assert len(names["joints"]) == 50
    assert Path("outputs/jump.bvh").is_file()


def test_the_commands_run(generator: Workspace) -> None:
    workspace = generator
    generated, figures = (workspace.follow(block) for block in examples("bash"))
    assert '"a person walks, then jumps"' in generated
    assert "real clips" in generated
    assert "APE root, m" in figures
    assert "give evaluator=RUN_DIR" in figures
    (folder,) = (workspace.folder / "outputs/temos/generated").iterdir()
    assert folder.name.startswith("a-person-walks-then-jumps-")
    assert (folder / "2.bvh").is_file()


def test_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", TEXT):
        assert (ROOT / "docs" / link).exists(), link
