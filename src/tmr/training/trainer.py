"""Options of Lightning's Trainer: those of users beside those that this package must own."""

import difflib
import inspect
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import callbacks as lightning_callbacks
from pytorch_lightning import loggers as lightning_loggers
from pytorch_lightning.strategies import DDPStrategy

from tmr.device import fastest_precision
from tmr.errors import InputError
from tmr.training.checkpoints import DurableCheckpoints

# What would break exact resuming or the sharing of batches, and what to use in its place.
OWNED = {
    "default_root_dir": "use run_dir",
    "enable_checkpointing": "use checkpoint_minutes and keep_every",
    "plugins": "checkpoints are written in one way, whole or not at all",
    "use_distributed_sampler": "every batch is shared out among the processes already",
    "reload_dataloaders_every_n_epochs": "the order of batches follows from seed and epoch",
}
PRECISIONS = {"bf16": "bf16-mixed", "fp32": "32-true"}


def trainer_of(
    options: Mapping[str, Any],
    run_dir: Path,
    callbacks: Sequence[pl.Callback],
    logger: Mapping[str, Any] | None,
) -> pl.Trainer:
    """Lightning's Trainer by the options of a config, with ``callbacks`` beside those of users.

    ``options.callbacks`` and ``options.logger`` are objects, or mappings that name a class of
    Lightning's as ``_target_``, with its arguments; ``logger`` is such a mapping for a run whose
    options have none.

    Raises:
        InputError: an option that is owned here, unknown, or of a value that Lightning refuses.
    """
    _check_names(options)
    options = {"num_sanity_val_steps": 0, "enable_model_summary": False} | dict(options)
    options.setdefault("enable_progress_bar", sys.stderr.isatty())
    options["precision"] = precision_of(options)
    logs = run_dir / "logs"
    own_callbacks = _as_list(options.pop("callbacks", None))
    own_loggers = _as_list(options.pop("logger", None) or logger)
    if options.get("strategy") == "ddp":
        options["strategy"] = DDPStrategy(gradient_as_bucket_view=True)
    try:
        return pl.Trainer(
            default_root_dir=run_dir,
            callbacks=[
                *(_object(spec, lightning_callbacks, "callbacks") for spec in own_callbacks),
                *callbacks,
            ],
            logger=[_object(spec, lightning_loggers, "logger", logs) for spec in own_loggers],
            plugins=plugins(),
            enable_checkpointing=False,
            use_distributed_sampler=False,
            **options,
        )
    except (MisconfigurationException, ModuleNotFoundError, TypeError, ValueError) as error:
        raise InputError(f"options of trainer: {' '.join(str(error).split())}") from error


def precision_of(options: Mapping[str, Any]) -> Any:
    """Lightning's name of a precision; ``auto`` is what the hardware does fastest.

    That is bfloat16 autocast where ``fastest_precision`` says so, and float32 elsewhere.
    """
    precision = options.get("precision")
    if precision != "auto":
        return precision
    accelerator = options.get("accelerator", "auto")
    on_gpu = accelerator in ("gpu", "cuda") or (accelerator == "auto" and torch.cuda.is_available())
    return PRECISIONS[fastest_precision("cuda" if on_gpu else "cpu")]


def plugins() -> list[Any]:
    """How checkpoints are written; and under SLURM, not Lightning's own way of starting jobs again.

    It would save wherever in a step the signal finds it. Ours resumes from the last checkpoint.
    """
    slurm = [SLURMEnvironment(auto_requeue=False)] if SLURMEnvironment.detect() else []
    return [DurableCheckpoints(), *slurm]


def _check_names(options: Mapping[str, Any]) -> None:
    known = [name for name in inspect.signature(pl.Trainer).parameters if name not in OWNED]
    for name in options:
        if name in OWNED:
            raise InputError(f"trainer.{name} is not open: {OWNED[name]}")
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            guess = f"did you mean {close[0]}?" if close else f"available: {', '.join(known)}"
            raise InputError(f"trainer.{name}: Lightning's Trainer has no such option; {guess}")


def _as_list(value: Any) -> list[Any]:
    if not value or value is True:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _object(spec: Any, module: ModuleType, key: str, save_dir: Path | None = None) -> Any:
    """An object as it is, or what a mapping describes; nothing but Lightning's classes is made."""
    if isinstance(spec, module.Callback if key == "callbacks" else module.Logger):
        return spec
    arguments = dict(spec) if isinstance(spec, Mapping) else {}
    package, _, name = str(arguments.pop("_target_", "")).rpartition(".")
    within = package.replace("lightning.pytorch", "pytorch_lightning").startswith(module.__name__)
    made = getattr(module, name, None)
    if not (within and inspect.isclass(made)):
        raise InputError(
            f"trainer.{key}: expected _target_={module.__name__}.CLASS with its arguments, found "
            f"{spec}; other classes are passed from Python, to tmr.training.fit"
        )
    if save_dir is not None and "save_dir" in inspect.signature(made).parameters:
        arguments.setdefault("save_dir", str(save_dir))
    return made(**arguments)
