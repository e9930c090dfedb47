"""The examples of docs/api.md run as they are written, one behind the other."""

import re
import runpy
from typing import Any

import pytest

from tests.workspace import ROOT, Workspace

TEXT = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", TEXT, flags=re.DOTALL | re.MULTILINE)


def test_the_examples_run_after_the_quickstart(
    generator: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    workspace = generator
    monkeypatch.chdir(workspace.folder)
    names: dict[str, Any] = {}
    for example in EXAMPLES:
        exec(compile(example, "docs/api.md", "exec"), names)
    assert len(EXAMPLES) >= 10
    assert names["text_latents"].shape == (2, names["motion_latents"].shape[1])
    assert names["latent"].shape[0] == 1
    assert 0 <= float(capsys.readouterr().out.split()[1]) <= 1


def test_the_reference_is_that_of_the_docstrings() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "make_api.py"))["page"]()
    assert made == TEXT, "run python docs/make_api.py"
    for name in ("load", "Model.encode_motions", "Evaluator.compute", "Library.more_like"):
        assert f"**`{name}(" in made
