"""A small data set, and a run on it that nobody disturbs."""

from pathlib import Path

import pytest

from tests.training.small import finished, make_data


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the data set."""
    folder = tmp_path_factory.mktemp("small")
    make_data(folder)
    return folder


@pytest.fixture(scope="session")
def undisturbed(data: Path) -> Path:
    """The run's folder."""
    return finished(data, data / "undisturbed")
