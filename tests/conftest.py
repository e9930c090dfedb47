"""Shape checks on for the package, the folder of shared data, and a quickstart in small."""

import os
from pathlib import Path

# Tests run side by side, a process a core: more threads would only take turns.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from jaxtyping import install_import_hook

from tests.workspace import ROOT, SMALL, Workspace

# Before the first import of the package: the hook checks every annotated shape at call time.
install_import_hook("tmr", "beartype.beartype")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file's tests in one process, and all that share the quickstart, which go first."""
    for item in items:
        shares = "quickstart" in getattr(item, "fixturenames", ())
        group = "quickstart" if shares else str(item.path.relative_to(ROOT))
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: "quickstart" not in getattr(item, "fixturenames", ()))


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
