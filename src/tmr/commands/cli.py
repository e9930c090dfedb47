"""What every command shares: one-line errors, seeds, and a help page made from its config file."""

import difflib
import functools
import itertools
import os
import random
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.errors import ConfigCompositionException, MissingConfigException, OverrideParseException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    InterpolationToMissingValueError,
    MissingMandatoryValue,
)

from tmr.errors import InputError
from tmr.io import disk_is_full

BAD_INPUT = 2
INTERRUPTED = 130


def setup(seed: int | None) -> None:
    """Seed Python, NumPy and torch, and allow TF32 in float32 matrix products.

    With ``seed=None`` every run differs.
    """
    # Imported here: help pages and refusals of light commands need not wait for torch.
    import numpy as np  # noqa: PLC0415
    import torch  # noqa: PLC0415

    torch.set_float32_matmul_precision("high")
    if seed is None:
        return
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  libraries that we call draw from the global generator
    torch.manual_seed(seed)


def one_line_errors(main: Callable[..., Any]) -> Callable[..., Any]:
    """``main`` with errors for people: goes outside ``@hydra.main``.

    An InputError, a missing mandatory option, or a command line that Hydra cannot compose ends in
    one line ``error: ...`` on stderr and exit code 2; Ctrl-C in one line and exit code 130. Any
    other exception is a bug of ours and keeps its traceback.
    """

    @functools.wraps(main)
    def command(*args: Any) -> Any:
        os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra prints and swallows exceptions without it
        try:
            return main(*args)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            sys.exit(INTERRUPTED)
        except Exception as error:
            reason = explain(error)
            if reason is None:
                raise
            _refuse(reason)

    return command


class RefuseInput(Callback):
    """Ends the job on bad input before Hydra adds lines of its own to stderr (see base.yaml)."""

    def on_job_end(self, config: Any, job_return: Any, **kwargs: Any) -> None:
        """Exit with code 2 and one line when the job failed on bad input."""
        outcome = vars(job_return)["_return_value"]  # the property prints before it raises
        if isinstance(outcome, Exception):
            reason = explain(outcome, example=_example(config))
            if reason is not None:
                _refuse(reason)


def explain(error: BaseException, example: str | None = None) -> str | None:
    """One line for people about ``error``, or None when it is not about what they gave.

    ``example`` is a complete command, shown when a mandatory option is missing.
    """
    for cause in _causes(error):
        if isinstance(cause, InputError):
            return _on_one_line(str(cause))
        if isinstance(cause, MissingMandatoryValue | InterpolationToMissingValueError):
            found = re.search(r"Missing mandatory value: (\S+)", str(cause))
            name = found[1] if found else cause.full_key
            return f"option {name} is missing; for example: {example or f'{name}=VALUE'}"
    if disk_is_full(error):
        return f"the disk is full ({error}); make space and run the command again"
    return _explain_composition(error)


def _explain_composition(error: BaseException) -> str | None:
    if isinstance(error, OverrideParseException):
        return f"cannot read {error.override!r}: write options as name=value"
    if isinstance(error, MissingConfigException) and error.options and error.missing_cfg_file:
        group, _, name = error.missing_cfg_file.rpartition("/")
        return f"{group or 'config'}={name}: no such choice; {_choose(name, error.options)}"
    if not isinstance(error, ConfigCompositionException):
        return None
    if isinstance(error.__cause__, ConfigAttributeError | ConfigKeyError):
        return _unknown_key(error.__cause__)
    group = re.match(r"Could not override '(\S+)'\. No match in the defaults", str(error))
    return f"this command has no group {group[1]}" if group else _on_one_line(str(error))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _unknown_key(error: ConfigAttributeError | ConfigKeyError) -> str:
    name = str(error.full_key or error.key)
    parent, _, last = name.rpartition(".")
    if not isinstance(error.parent_node, DictConfig):
        return f"unknown option {name}"
    known = [str(key) for key in error.parent_node if parent or key != "hydra"]
    return f"unknown option {name}; {_choose(last, known)}"


def _choose(name: str, options: Iterable[str]) -> str:
    options = sorted(options)
    close = difflib.get_close_matches(name, options, n=1, cutoff=0.5)
    guess = f"did you mean {close[0]}? " if close else ""
    return f"{guess}available: {', '.join(options)}"


def _on_one_line(text: str) -> str:
    return " ".join(text.split())


def _refuse(reason: str) -> None:
    sys.stdout.flush()
    print(f"error: {reason}", file=sys.stderr)
    sys.exit(BAD_INPUT)


def _config_folder(hydra: Any) -> Path | None:
    for source in hydra.runtime.config_sources:
        if source.provider == "main" and source.schema == "file":
            return Path(source.path)
    return None


def _config_file(hydra: Any) -> tuple[list[str], list[str]]:
    """The comment at the head of the command's own config file, and the lines of its options."""
    folder = _config_folder(hydra)
    if folder is None:
        return [], []
    lines = (folder / f"{hydra.job.config_name}.yaml").read_text("utf-8").splitlines()
    head = list(itertools.takewhile(lambda line: line.startswith("#"), lines))
    options, hidden = [], False
    for line in lines[len(head) :]:
        if line and not line.startswith((" ", "-")):
            hidden = line.startswith(("defaults:", "hydra:"))  # blocks that only Hydra reads
        if not hidden:
            options.append(line)
    return [line.removeprefix("#").removeprefix(" ") for line in head], options


def _example(config: Any) -> str | None:
    head, _ = _config_file(config.hydra)
    return next((line.strip() for line in head if line.strip().startswith("python ")), None)


def _help_page() -> str:
    """What the command does, its groups and its options: the comments of its config file."""
    hydra = HydraConfig.get()
    page, options = _config_file(hydra)
    folder = _config_folder(hydra)
    groups = {k: v for k, v in hydra.runtime.choices.items() if not str(k).startswith("hydra/")}
    if groups and folder is not None:
        page += ["", "Groups (group=choice):"]
        for group, chosen in groups.items():
            names = sorted(file.stem for file in (folder / str(group)).glob("*.yaml"))
            page.append(f"  {group}={chosen}  of  {', '.join(names)}")
    page += ["", "Options (option=value), with their defaults:", ""]
    page += "\n".join(options).strip().splitlines()
    page += ["", "The whole config, without running: --cfg job. Several values, one run each: -m."]
    return "\n".join(page).replace("$", "$$")  # Hydra passes the page through string.Template


OmegaConf.register_new_resolver("help_page", _help_page, replace=True)
