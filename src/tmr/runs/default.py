"""The model that ships with the project, used where no run is named."""

from tmr.errors import InputError
from tmr.io import shipped
from tmr.runs.folder import RunDir

FOLDER = "models/open"


def default_run() -> RunDir:
    """The run folder of the open model: of the working folder, the repository or the installation.

    Raises:
        InputError: it is in none of them.
    """
    run = RunDir(shipped(FOLDER))
    if not run.config.is_file():
        raise InputError(
            f"no model named and none at {FOLDER}: name a run folder, or hf://user/repo on the "
            "Hugging Face hub"
        )
    return run
