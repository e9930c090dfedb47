"""The calibration of a run's localization, kept in its folder."""

import logging
from dataclasses import asdict
from pathlib import Path

import orjson

from tmr.errors import InputError
from tmr.io import write_json
from tmr.localization import Calibration, fit_calibration
from tmr.localization.calibration import calibration_error
from tmr.localization.evaluation import Outcome
from tmr.runs.folder import RunDir

log = logging.getLogger(__name__)


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


def error_of_calibration(run: RunDir, outcome: Outcome, fit: bool) -> float | None:
    """The calibration error of best segments; None where the run has no calibration.

    With ``fit``, the run's calibration is fitted to them first.
    """
    if fit:
        write_json(calibration_file(run), asdict(fit_calibration(outcome.fits, outcome.right)))
    calibration = read_calibration(run)
    if calibration is None:
        log.info("no calibration in %s: fit it with split=val", run.root)
        return None
    return calibration_error(calibration(outcome.fits), outcome.right)
