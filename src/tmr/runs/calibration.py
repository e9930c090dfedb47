"""The calibration of a run's localization, kept in its folder."""

from dataclasses import asdict
from pathlib import Path

import orjson

from tmr.errors import InputError
from tmr.io import write_json
from tmr.localization import Calibration
from tmr.runs.folder import RunDir


def calibration_file(run: RunDir) -> Path:
    """Where it is."""
    return run.root / "localization" / "calibration.json"


def read_calibration(run: RunDir) -> Calibration | None:
    """The run's calibration, None where none was fitted; InputError where it cannot be read."""
    path = calibration_file(run)
    if not path.is_file():
        return None
    try:
        return Calibration(**orjson.loads(path.read_bytes()))
    except (orjson.JSONDecodeError, TypeError) as error:
        raise InputError(
            f"{path} is no calibration ({error}); fit it again with "
            f"`python evaluate_localization.py run_dir={run.root} split=val`"
        ) from None


def write_calibration(run: RunDir, calibration: Calibration) -> None:
    """Keep a calibration in the run folder."""
    write_json(calibration_file(run), asdict(calibration))
