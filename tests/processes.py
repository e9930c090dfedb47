"""Functions in processes of their own, which start at once because a server has torch loaded."""

import multiprocessing
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from subprocess import CompletedProcess
from types import MappingProxyType
from typing import Any

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    ["tmr.commands.train", "tmr.commands.retrieval", "transformers.models.bert.modeling_bert"]
)
SECONDS = 120  # a group that waits for a member that failed must not wait for ever


def together(world: int, function: Callable[..., Any], *args: Any) -> list[Any]:
    """``function(rank, world, *args)`` in ``world`` processes that form a gloo group; results."""
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(world, CONTEXT) as pool:
        meeting = Path(folder) / "meeting"
        members = [
            pool.submit(_member, meeting, rank, world, function, args) for rank in range(world)
        ]
        return [member.result(SECONDS) for member in members]


def start_command(
    folder: Path,
    line: str,
    out: Path,
    err: Path | None = None,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> ForkServerProcess:
    """`python SCRIPT OPTIONS...` or `python -m MODULE OPTIONS...` in ``folder``, started.

    What it prints goes into ``out``, and what it says of errors into ``err``, or there too. Joblib
    starts no workers: for a test's few files they would spend their time on imports.
    """
    environment = {"LOKY_MAX_CPU_COUNT": "1", **environment}
    process = CONTEXT.Process(target=run_command, args=(folder, line, out, err or out, environment))
    process.start()
    return process


def completed(folder: Path, line: str) -> CompletedProcess[str]:
    """The same, ended: its exit code and what it printed."""
    with tempfile.TemporaryDirectory() as temporary:
        out, err = Path(temporary, "out"), Path(temporary, "err")
        process = start_command(folder, line, out, err)
        process.join()
        printed = (file.read_text() if file.is_file() else "" for file in (out, err))
        return CompletedProcess(line, process.exitcode or 0, *printed)


def run_command(
    folder: Path, line: str, out: Path, err: Path, environment: Mapping[str, str]
) -> None:
    """A command in this process, which is for it alone."""
    import atexit
    import os
    import runpy
    import shlex
    import sys
    import threading

    os.chdir(folder)
    os.environ |= environment
    for stream, path in ((1, out), (2, err)):
        with path.open("a") as file:
            os.dup2(file.fileno(), stream)
    sys.argv = shlex.split(line)[1:]
    sys.path.insert(0, str(folder))
    try:
        if sys.argv[0] == "-m":
            _, module, *sys.argv[1:] = sys.argv
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(sys.argv[0], run_name="__main__")
    finally:
        # As an interpreter does first when it ends, and joblib's workers end with it; where
        # multiprocessing waits for them they would live for another five minutes.
        threading._shutdown()  # pyright: ignore[reportAttributeAccessIssue]
        atexit._run_exitfuncs()


def _member(
    meeting: Path, rank: int, world: int, function: Callable[..., Any], args: tuple[Any, ...]
) -> Any:
    import torch
    import torch.distributed as dist

    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{meeting}", rank=rank, world_size=world)
    try:
        return function(rank, world, *args)
    finally:
        dist.destroy_process_group()
