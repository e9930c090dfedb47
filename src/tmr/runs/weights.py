"""Weights in and out of a run folder."""

import logging
import pickle
import typing
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from tmr.cache import checksum
from tmr.errors import InputError
from tmr.io import load_pickle, save_pickle, save_tensors
from tmr.model import TEMOS
from tmr.runs.build import model_of
from tmr.runs.folder import RunDir
from tmr.runs.legacy_tmr import from_published, to_published

log = logging.getLogger(__name__)

MODULES = ("motion_encoder", "text_encoder", "motion_decoder")  # null: a model without decoder
CHECKSUM = "crc32"  # of a safetensors file, in its metadata


class _Ignored:
    """Stands for the config in a published checkpoint, whose content is not used."""

    def __setstate__(self, state: object) -> None:
        pass


# Published checkpoints keep their config as OmegaConf objects beside the weights.
SAFE: list[Any] = [
    (_Ignored, "omegaconf.dictconfig.DictConfig"),
    (_Ignored, "omegaconf.listconfig.ListConfig"),
    (_Ignored, "omegaconf.base.ContainerMetadata"),
    (_Ignored, "omegaconf.base.Metadata"),
    (_Ignored, "omegaconf.nodes.AnyNode"),
    typing.Any,
    defaultdict,
    dict,
    list,
    int,
]


def extract(run: RunDir, ckpt: str = "last") -> Path:
    """The folder with the weights of a checkpoint, one ``.pt`` and ``.safetensors`` a module.

    The ``.pt`` files have the published names, which other tools read. Checkpoints of this
    project and published ones are read, wherever they were trained.

    Raises:
        InputError: no such checkpoint, a damaged one, or one without the weights of a module.
    """
    source = run.checkpoints / f"{ckpt}.ckpt"
    if not source.is_file():
        found = _names(run.checkpoints, "*.ckpt")
        raise InputError(
            f"no checkpoint {source}; found {found or 'none'}; choose one with ckpt=NAME, "
            "or train with `python train.py`"
        )
    checkpoint = _read(source, "train again, or copy it again from where it came")
    parts = model_of(run.read_config()).parts
    states = split_modules(checkpoint.get("state_dict", {}), parts)
    missing = [module for module in parts if not states[module]]
    if missing:
        raise InputError(f"{source} has no weights of {', '.join(missing)}: no checkpoint of TMR?")
    folder = run.weights(ckpt)
    save_weights(folder, states)
    return folder


def save_weights(folder: Path, states: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Write ``split_modules`` of a model, one ``.pt`` and one ``.safetensors`` file a module."""
    for module, state in states.items():
        published = {n: t.cpu().contiguous() for n, t in to_published(module, state).items()}
        record = {CHECKSUM: str(checksum(published))}
        save_tensors(folder / f"{module}.safetensors", published, record)
        save_pickle(folder / f"{module}.pt", published)


def split_modules(
    state: Mapping[str, Tensor], parts: Sequence[str]
) -> dict[str, dict[str, Tensor]]:
    """State dicts of a model's parts, under our names, from that of a whole checkpoint."""
    states: dict[str, dict[str, Tensor]] = {part: {} for part in parts}
    for name, tensor in state.items():
        module, _, rest = name.removeprefix("model.").partition(".")
        if module in states:
            states[module][rest] = tensor
    return {part: from_published(part, states[part]) for part in parts}


def load_model(run: RunDir, ckpt: str = "last", device: str = "cpu") -> TEMOS:
    """The run's model with the extracted weights of a checkpoint, in evaluation mode.

    Raises:
        InputError: weights missing, damaged, or not those of the run's config.
    """
    config = run.read_config()
    absent = [module for module in MODULES if module not in config["model"]]
    if absent:
        raise InputError(
            f"{run.config}: its model has no {', '.join(absent)}; a TMR or TEMOS has all of "
            f"{', '.join(MODULES)}: train one with `python train.py`"
        )
    model = model_of(config)
    files = {part: _weight_file(run, ckpt, part) for part in model.parts}
    remedy = f"write it again with `{_extract_command(run, ckpt)}`"
    for module, file in files.items():
        state = from_published(module, _read(file, remedy))
        _check_fit(file, state, getattr(model, module).state_dict())
        getattr(model, module).load_state_dict(state)
    return model.to(device).eval()


def _weight_file(run: RunDir, ckpt: str, module: str) -> Path:
    folder = run.weights(ckpt)
    for suffix in (".safetensors", ".pt"):
        if (folder / f"{module}{suffix}").is_file():
            return folder / f"{module}{suffix}"
    if (run.checkpoints / f"{ckpt}.ckpt").is_file():
        raise InputError(
            f"no {module} weights in {folder}, but there is a checkpoint; "
            f"run `{_extract_command(run, ckpt)}`"
        )
    kept = _names(run.checkpoints, "*.ckpt")
    extracted = ", ".join(sorted(p.name for p in run.root.glob("*_weights")))
    raise InputError(
        f"no {module} weights in {folder}; found checkpoints: {kept or 'none'}; extracted: "
        f"{extracted or 'none'}; train with `python train.py`, then "
        f"`python extract.py run_dir={run.root}`"
    )


def _extract_command(run: RunDir, ckpt: str) -> str:
    choice = "" if ckpt == "last" else f" ckpt={ckpt}"
    return f"python extract.py run_dir={run.root}{choice}"


def _names(folder: Path, pattern: str) -> str:
    return ", ".join(sorted(path.stem for path in folder.glob(pattern)))


def _read(file: Path, remedy: str) -> dict[str, Any]:
    """What a ``.pt``, ``.ckpt`` or ``.safetensors`` file holds, on the CPU; no code is run."""
    try:
        if file.suffix == ".safetensors":
            with safe_open(file, framework="pt") as opened:
                expected = (opened.metadata() or {}).get(CHECKSUM)  # those of others have none
            state = load_file(file)
            if expected is not None and expected != str(checksum(state)):
                raise ValueError("wrong checksum")
            return state
        with torch.serialization.safe_globals(SAFE):
            content = load_pickle(file)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{file} is damaged, or holds objects beside tensors, which are not loaded because "
            f"they could run code ({str(error).splitlines()[0]}); {remedy}"
        ) from error
    except Exception as error:  # each kind of damage has its own
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{file} is damaged ({reason}); {remedy}") from error
    if not isinstance(content, dict):
        raise InputError(f"{file} holds a {type(content).__name__}, not weights by name; {remedy}")
    return content


def _check_fit(file: Path, found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    problems = [f"{name} is missing" for name in expected if name not in found]
    problems += [f"{name} is not in the model" for name in found if name not in expected]
    problems += [
        f"{name} is {tuple(found[name].shape)}, the config makes it {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in found and found[name].shape != tensor.shape
    ]
    if problems:
        more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise InputError(
            f"{file} does not fit the config.json of its run: {problems[0]}{more}; "
            "use the config and weights of one and the same run"
        )
