"""Shape checks on for the package, the folder of shared data, and a quickstart in small."""

import os
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

from tests.workspace import ROOT, SMALL, Workspace

# Before the first import of the package: the hook checks every annotated shape at call time.
install_import_hook("tmr", "beartype.beartype")


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository root."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data and golden files; tests that need it skip without it."""
    folder = Path(os.environ.get("TMR_SHARED", ROOT.parent / "shared"))
    if not (folder / "golden").is_dir():
        pytest.skip(f"no shared data at {folder}: set TMR_SHARED to the folder that has it")
    return folder


@pytest.fixture(scope="session")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, str]:
    """A workspace after ``make quickstart`` with few motions and epochs, and what it printed."""
    workspace = Workspace(tmp_path_factory.mktemp("quickstart"))
    printed = workspace.succeed(f"make quickstart {SMALL}")
    return workspace, printed
