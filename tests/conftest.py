"""Shape checks on for the package, one thread, and the folder of shared data."""

import os
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

# Before the first import of the package: the hook checks every annotated shape at call time.
install_import_hook("tmr", "beartype.beartype")

ROOT = Path(__file__).resolve().parent.parent


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
