"""Shape checks on for the package, the folder of shared data, and a quickstart in small."""

import os
import signal
from functools import partial
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from unittest.mock import patch

# Tests run side by side, a process a core: more threads would only take turns.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings
from jaxtyping import _import_hook

from tests.workspace import ROOT, SMALL, Workspace


class Loader(_import_hook._JaxtypingLoader):
    """Jaxtyping's, which gives the compiled code of its own module alone another name.

    Jaxtyping has all that the module imports look for that name, finds none for torch, Gradio and
    the others, and where Python may not write beside them, each process compiles them.
    """

    def get_code(self, fullname: str) -> CodeType | None:
        renamed = partial(_import_hook._optimized_cache_from_source, self._typechecker.get_hash())
        with patch("importlib._bootstrap_external.cache_from_source", renamed):
            return super().get_code(fullname)

    def exec_module(self, module: ModuleType) -> None:
        SourceFileLoader.exec_module(self, module)


# Before the first import of the package: the hook checks every annotated shape at call time.
_import_hook._JaxtypingLoader = Loader
_import_hook.install_import_hook("tmr", "beartype.beartype")

# A suite started in the background by a shell ignores Ctrl-C, and all that it starts does, too:
# the tests of Ctrl-C would wait forever.
signal.signal(signal.SIGINT, signal.default_int_handler)

# No time limit for an example, because machines are busy, and the same examples every time.
settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile("suite")


# Groups that take long, the longest first: one left for the end would run alone.
FIRST = ("quickstart", "page", "training", "bandai")


def pytest_configure(config: pytest.Config) -> None:
    """Have pytest-xdist start groups in the order below, not those of many tests first."""
    config.option.loadscopereorder = False


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file's tests in one process, and all that share what took long to make."""
    groups = {item: group_of(item) for item in items}
    for item, group in groups.items():
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: FIRST.index(g) if (g := groups[item]) in FIRST else len(FIRST))


def group_of(item: pytest.Item) -> str:
    """Name of the group of tests that run one after the other in one process."""
    fixtures = getattr(item, "fixturenames", ())
    if "quickstart" in fixtures:
        return "quickstart"
    if "bandai_bvh" in fixtures:  # an archive that takes ten seconds to unpack
        return "bandai"
    folder = {"demo": "page", "training": "training"}
    return folder.get(item.path.parent.name, str(item.path.relative_to(ROOT)))


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
    """A workspace after ``make quickstart`` with few motions and epochs, and what it printed.

    What make would run is run line by line: most lines are then forked. Make itself runs in
    test_readme.py.
    """
    workspace = Workspace(tmp_path_factory.mktemp("quickstart"))
    lines = workspace.run(f"make --no-print-directory --dry-run quickstart {SMALL}").stdout
    return workspace, workspace.follow(lines.replace(".venv/bin/python", "python"))


@pytest.fixture(scope="session")
def generator(quickstart: tuple[Workspace, str]) -> Workspace:
    """The quickstart's workspace with a run that has a decoder, ``outputs/temos``."""
    workspace, _ = quickstart
    workspace.succeed("python train.py experiment=temos_small trainer.max_epochs=1")
    workspace.succeed("python extract.py run_dir=outputs/temos")
    return workspace
