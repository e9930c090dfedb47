"""A small data set, and a run on it that nobody disturbs."""

from pathlib import Path

import pytest

from tests.training.toy import finished, make_data
from tests.workspace import Workspace


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A checkout with the small data set in the place of the embedded one."""
    workspace = Workspace(tmp_path_factory.mktemp("small"))
    make_data(workspace.folder)
    return workspace


@pytest.fixture(scope="session")
def data(workspace: Workspace) -> Path:
    """The folder of the data set."""
    return workspace.folder


@pytest.fixture(scope="session")
def undisturbed(data: Path) -> Path:
    """The run's folder."""
    return finished(data, data / "outputs" / "undisturbed", keep_every=2)
