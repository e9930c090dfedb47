"""Encode a large folder or data set into a library, with many workers."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tmr.api import Model, load
from tmr.errors import InputError
from tmr.motion.conventions import Overrides
from tmr.progress import Progress
from tmr.runs.build import data_of
from tmr.search.sources import DataSource, FolderSource, Source

log = logging.getLogger(__name__)


def encode_library(
    run_dir: str,
    library: str,
    workers: int,
    engine: str,
    address: str | None,
    gpus_per_worker: float | int,
    windows: Sequence[float | int] | float | int,
    share: str | None,
    ckpt: str,
    device: str,
    source: str | None,
    data: Mapping[str, Any] | None = None,
    **reading: Any,
) -> None:
    """Encode what is new or changed in a folder or a data set into a library kept in Lance.

    Raises:
        InputError: an option that cannot be used, or a package that is missing.
    """
    try:
        from tmr.search import encoding, engines  # noqa: PLC0415  optional packages
    except ImportError:
        raise InputError(
            "large libraries are kept in Lance: run `pip install pylance`; up to some hundred "
            "thousand windows, search.py folder=FOLDER does without"
        ) from None
    motions = _source(source, reading, data)
    runner = (
        engines.Ray(workers, address, gpus_per_worker)
        if engine == "ray"
        else engines.Processes(workers)
    )
    with Progress("encode", "files") as progress:
        outcome = encoding.encode_library(
            motions,
            LoadModel(run_dir, device, ckpt),
            library,
            runner,
            windows=[windows] if isinstance(windows, int | float) else windows,
            share=share_of(share, os.environ),
            progress=progress,
        )
    rate = outcome.encoded / max(outcome.seconds, 1e-9)
    print(
        f"{library}: {outcome.encoded:,} takes encoded in {outcome.rows:,} rows, "
        f"{outcome.held:,} were there, {len(outcome.skipped):,} skipped; "
        f"{outcome.seconds:,.0f} s, {rate:,.1f} takes/s"
    )


@dataclass(frozen=True)
class LoadModel:
    """Loads the model of a run folder: in each worker."""

    run_dir: str
    device: str
    ckpt: str

    def __call__(self) -> Model:
        """The model."""
        return load(self.run_dir, self.device, self.ckpt)


def share_of(given: str | None, environment: Mapping[str, str]) -> tuple[int, int]:
    """Which part (i, n) of the files is this process's: ``i/n``, or its place in a SLURM array.

    Raises:
        InputError: a share that is none.
    """
    if given is None:
        if "SLURM_ARRAY_TASK_ID" not in environment:
            return 0, 1
        first = int(environment.get("SLURM_ARRAY_TASK_MIN", 0))
        part = int(environment["SLURM_ARRAY_TASK_ID"]) - first
        return part, int(environment["SLURM_ARRAY_TASK_COUNT"])
    part, slash, parts = given.partition("/")
    if not (slash and part.isdecimal() and parts.isdecimal() and int(part) < int(parts)):
        raise InputError(f"share={given}: expected I/N, I from 0 to N - 1, for example share=0/16")
    return int(part), int(parts)


def _source(
    source: str | None, reading: Mapping[str, Any], data: Mapping[str, Any] | None
) -> Source:
    if (source is None) == (data is None):
        raise InputError("give either source=FOLDER, motion files, or data=NAME, a data set")
    if data is not None:
        return DataSource(data_of({"data": data}))
    return FolderSource.at(Path(str(source)), Overrides(**reading))
