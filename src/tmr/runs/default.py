"""The model that ships with the project, used where no run is named."""

from pathlib import Path

from tmr.errors import InputError
from tmr.runs.folder import RunDir

NAME = "open"


def default_run() -> RunDir:
    """The run folder of the open model, in ``models/`` of the working folder or the repository.

    Raises:
        InputError: it is in neither.
    """
    for root in (Path("models"), Path(__file__).parents[3] / "models"):
        if (root / NAME / "config.json").is_file():
            return RunDir(root / NAME)
    raise InputError(
        f"no model named and none at models/{NAME}: name a run folder, or hf://user/repo on the "
        "Hugging Face hub"
    )
