"""Shape checks on for the package, the folder of shared data, and a quickstart in small."""

import os
import signal
from pathlib import Path

# Tests run side by side, a process a core: more threads would only take turns.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

from tests.workspace import ROOT, SMALL, Workspace

# Before the first import of the package: the hook checks every annotated shape at call time.
install_import_hook("tmr", "beartype.beartype")

# A suite started in the background by a shell ignores Ctrl-C, and all that it starts does, too:
# the tests of Ctrl-C would wait forever.
signal.signal(signal.SIGINT, signal.default_int_handler)

# No time limit for an example, because machines are busy, and the same examples every time.
settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile("suite")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file's tests in one process, and all that share the quickstart, which go first.

    The page's tests, which share a browser and a small library, go next.
    """
    groups = {item: group_of(item) for item in items}
    for item, group in groups.items():
        item.add_marker(pytest.mark.xdist_group(group))
    first = ("quickstart", "page")
    items.sort(key=lambda item: first.index(g) if (g := groups[item]) in first else len(first))


def group_of(item: pytest.Item) -> str:
    """Name of the group of tests that run one after the other in one process."""
    if "quickstart" in getattr(item, "fixturenames", ()):
        return "quickstart"
    return "page" if item.path.parent.name == "demo" else str(item.path.relative_to(ROOT))


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


@pytest.fixture(scope="session")
def generator(quickstart: tuple[Workspace, str]) -> Workspace:
    """The quickstart's workspace with a run that has a decoder, ``outputs/temos``."""
    workspace, _ = quickstart
    workspace.succeed("python train.py experiment=temos_small trainer.max_epochs=1")
    workspace.succeed("python extract.py run_dir=outputs/temos")
    return workspace
