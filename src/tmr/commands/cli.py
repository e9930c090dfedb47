"""The one way from a script to its command: arguments, config, errors in one line, help."""

import difflib
import importlib
import inspect
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from tmr.commands import options
from tmr.commands.arguments import to_hydra, translated
from tmr.commands.help import ConfigFile
from tmr.errors import InputError

BAD_INPUT = 2
INTERRUPTED = 130
HYDRA_VERSION = "1.3"  # whose behavior the configs are written for


def run(script: str) -> Any:
    """Run the command of a root script, or of one in ``prepare/``: ``run(__file__)``.

    The command is the function of the script's name in `tmr.commands`; it gets an argument for each
    option of ``configs/NAME.yaml``. Bad input, a missing option or a command line that cannot be
    composed ends in one line ``error: ...`` on stderr and exit code 2, Ctrl-C in one line and exit
    code 130. Any other exception is a bug of ours and keeps its traceback.
    """
    # Read when torch is loaded. OpenMP threads that spin while they wait make an epoch take many
    # times as long on a machine with other work.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    sys.unraisablehook = _unraisable
    file = _config_file(Path(script).resolve())
    with_errors = _one_line_errors(_run, file.example())
    return with_errors(file, sys.argv[1:])


def call(configs: Path, name: str, *arguments: str) -> Any:
    """Run a command in this process, with the arguments that a shell would pass; errors are raised.

    ``configs`` is the folder of the config files.
    """
    overrides = _overrides(ConfigFile(configs, name), arguments)
    return _call(name, _compose(configs, name, overrides), overrides)


def compose(configs: Path, name: str, *arguments: str) -> dict[str, Any]:
    """The resolved config of a command, with the arguments that a shell would pass."""
    return _plain(_compose(configs, name, _overrides(ConfigFile(configs, name), arguments)))


def setup(seed: int | None) -> None:
    """Seed Python, NumPy and torch, and allow TF32 in float32 matrix products.

    With ``seed=None`` every run differs.
    """
    import random  # noqa: PLC0415

    import numpy as np  # noqa: PLC0415  help pages need not wait for torch
    import torch  # noqa: PLC0415

    torch.set_float32_matmul_precision("high")
    if seed is None:
        return
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  libraries that we call draw from the global generator
    torch.manual_seed(seed)


def _config_file(script: Path) -> ConfigFile:
    for folder in (script.parent / "configs", script.parent.parent / "configs"):
        if (folder / f"{script.stem}.yaml").is_file():
            return ConfigFile(folder, script.stem)
    raise FileNotFoundError(f"no configs/{script.stem}.yaml beside {script}")


def _run(file: ConfigFile, arguments: Sequence[str]) -> Any:
    if {"--help", "-h"} & set(arguments):
        print(file.help_page())
        return None
    if "--version" in arguments:
        from tmr import __version__  # noqa: PLC0415

        print(f"tmr {__version__}")
        return None
    sys.argv[1:] = _with_job_name(file.name, _overrides(file, arguments))
    import hydra  # noqa: PLC0415  takes half a second

    def task(config: Any) -> Any:
        from hydra.core.hydra_config import HydraConfig  # noqa: PLC0415

        given = list(HydraConfig.get().overrides.task)
        # Here too: Hydra prints lines of its own about an error that leaves a job.
        return _one_line_errors(_call, file.example())(file.name, config, given)

    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra prints and swallows exceptions without it
    main = hydra.main(
        config_path=str(file.folder), config_name=file.name, version_base=HYDRA_VERSION
    )
    return main(task)()


def _with_job_name(name: str, arguments: Sequence[str]) -> list[str]:
    """The arguments with the name of a sweep's jobs, which Hydra would call after this module.

    It stands behind the last override, because Hydra's parser wants all of them side by side.
    """
    overrides = [i for i, text in enumerate(arguments) if "=" in text and not text.startswith("-")]
    end = overrides[-1] + 1 if overrides else len(arguments)
    return [*arguments[:end], f"hydra.job.name={name}", *arguments[end:]]


def _overrides(file: ConfigFile, arguments: Sequence[str]) -> list[str]:
    """The arguments as Hydra reads them, with a line about each that was given by another name."""
    groups = file.groups()
    ours, notes = translated(arguments, {*file.options(), *groups})
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    return to_hydra(file.name, ours, groups)


def _compose(configs: Path, name: str, overrides: Sequence[str]) -> Any:
    import hydra  # noqa: PLC0415  takes half a second

    with hydra.initialize_config_dir(str(configs), version_base=HYDRA_VERSION):
        return hydra.compose(name, list(overrides))


def _plain(config: Any) -> dict[str, Any]:
    from omegaconf import OmegaConf  # noqa: PLC0415

    plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items() if key != "hydra"}


def _call(name: str, config: Any, overrides: Sequence[str]) -> Any:
    """The command's function with an argument for each option of the config."""
    given = _plain(config)
    options.check(name, given)
    command = getattr(importlib.import_module(f"tmr.commands.{name}"), name)
    if "overrides" in inspect.signature(command).parameters:
        given["overrides"] = overrides
    return command(**given)


def _one_line_errors(function: Callable[..., Any], example: str | None) -> Callable[..., Any]:
    """``function`` with errors for people; ``example`` is shown where an option is missing."""

    def command(*args: Any) -> Any:
        try:
            return function(*args)
        except KeyboardInterrupt as stopped:
            print(str(stopped) or "interrupted", file=sys.stderr)
            sys.exit(INTERRUPTED)
        except Exception as error:
            reason = explain(error, example)
            if reason is None:
                raise
            _refuse(reason)

    return command


def _unraisable(lost: "sys.UnraisableHookArgs") -> None:
    """Send Ctrl-C again where Python drops it: in destructors and callbacks of weak references."""
    if lost.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(lost)
        return
    again = threading.Timer(0.01, signal.raise_signal, [signal.SIGINT])  # when they have returned
    again.daemon = True
    again.start()


def _refuse(reason: str) -> NoReturn:
    sys.stdout.flush()
    print(f"error: {reason}", file=sys.stderr)
    sys.exit(BAD_INPUT)


def explain(error: BaseException, example: str | None = None) -> str | None:
    """One line for people about ``error``, or None when it is not about what they gave.

    ``example`` is a complete command, shown when a mandatory option is missing.
    """
    # Imported here: where there is an error of theirs, they are loaded already.
    from omegaconf.errors import (  # noqa: PLC0415
        InterpolationToMissingValueError,
        MissingMandatoryValue,
    )

    from tmr.io import disk_is_full  # noqa: PLC0415

    for cause in _causes(error):
        if isinstance(cause, InputError):
            return _on_one_line(str(cause))
        if isinstance(cause, MissingMandatoryValue | InterpolationToMissingValueError):
            found = re.search(r"Missing mandatory value: (\S+)", str(cause))
            name = found[1] if found else cause.full_key
            return f"option {name} is missing; for example: {example or f'{name}=VALUE'}"
        if isinstance(cause, PermissionError) and cause.filename:
            return f"no permission to read or write {cause.filename}"
    if disk_is_full(error):
        return f"the disk is full ({error}); make space and run the command again"
    return _explain_composition(error)


def _explain_composition(error: BaseException) -> str | None:
    from hydra.errors import (  # noqa: PLC0415
        ConfigCompositionException,
        MissingConfigException,
        OverrideParseException,
    )
    from omegaconf.errors import ConfigAttributeError, ConfigKeyError  # noqa: PLC0415

    if isinstance(error, OverrideParseException):
        return f"cannot read {error.override!r}: write options as name=value"
    if isinstance(error, MissingConfigException) and error.options and error.missing_cfg_file:
        group, _, name = error.missing_cfg_file.rpartition("/")
        choices = [option for option in error.options if not option.startswith("_")]
        return f"{group or 'config'}={name}: no such choice; {_choose(name, choices)}"
    if not isinstance(error, ConfigCompositionException):
        return None
    if isinstance(error.__cause__, ConfigAttributeError | ConfigKeyError):
        return _unknown_key(error.__cause__)
    group = re.match(r"Could not override '(\S+)'\. No match in the defaults", str(error))
    return f"this command has no group {group[1]}" if group else _on_one_line(str(error))


def _unknown_key(error: Any) -> str:
    name = str(error.full_key or error.key)
    parent, _, last = name.rpartition(".")
    if not isinstance(error.parent_node, Mapping):
        return f"unknown option {name}"
    known = [str(key) for key in error.parent_node if parent or key != "hydra"]
    return f"unknown option {name}; {_choose(last, known)}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _choose(name: str, choices: Iterable[str]) -> str:
    choices = sorted(choices)
    close = difflib.get_close_matches(name, choices, n=1, cutoff=0.5)
    guess = f"did you mean {close[0]}? " if close else ""
    return f"{guess}available: {', '.join(choices)}"


def _on_one_line(text: str) -> str:
    return " ".join(text.split())
