"""What a command says when it is used wrongly, and its help page; each in a real process."""

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tmr.commands.cli import explain, setup
from tmr.errors import InputError

SCRIPT = """
from pathlib import Path

import tmr.commands
from tmr.commands.cli import run

tmr.commands.__path__.append(str(Path(__file__).parent / "commands"))
run(__file__)
"""

COMMAND = """
import signal
import time

from tmr.errors import InputError


class Interrupting:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)


def greet(whom, how, manner, animal):
    if how == "input":
        raise InputError("no such\\n   folder")
    if how == "interrupt":
        raise KeyboardInterrupt
    if how == "destructor":
        lost = Interrupting()
        del lost
        while True:
            time.sleep(0.01)
    if how == "locked":
        raise PermissionError(13, "Permission denied", "/theirs/walk.npy")
    if how == "bug":
        raise ZeroDivisionError("a bug")
    print(f"hello {whom} {animal['legs']}")
"""

CONFIG = """\
# Greet somebody.
#
#   python greet.py whom=you
defaults:
  - animal: cat
  - shared/base
  - _self_

whom: ???   # who is greeted
how: ${.manner}
# The manner.
manner: kindly
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    folder = tmp_path_factory.mktemp("command")
    (folder / "configs" / "animal").mkdir(parents=True)
    for name in ("configs/shared", "commands"):
        (folder / name).mkdir()
    base = (root / "configs" / "shared" / "base.yaml").read_text()
    (folder / "configs" / "shared" / "base.yaml").write_text(base)
    (folder / "commands" / "greet.py").write_text(COMMAND)
    (folder / "configs" / "greet.yaml").write_text(CONFIG)
    (folder / "configs" / "animal" / "cat.yaml").write_text("name: cat\nlegs: 4\n")
    (folder / "configs" / "animal" / "bird.yaml").write_text("name: bird\nlegs: 2\n")
    (folder / "greet.py").write_text(SCRIPT)
    return folder


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    files = sorted(folder.rglob("*"))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HYDRA")}
    done = subprocess.run(
        [sys.executable, "-B", "greet.py", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=environment | {"OMP_NUM_THREADS": "1"},
    )
    assert sorted(folder.rglob("*")) == files, "a command leaves no file that it does not name"
    return done


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["whom=me", "how=input"], "no such folder"),
        (["whom=me", "how=locked"], "no permission to read or write /theirs/walk.npy"),
        ([], "option whom is missing; for example: python greet.py whom=you"),
        (["wom=me"], "unknown option wom; did you mean whom? available: animal, how, manner, whom"),
        (["animal.leg=3"], "unknown option animal.leg; did you mean legs? available: legs, name"),
        (["animal=brid"], "animal=brid: no such choice; did you mean bird? available: bird, cat"),
        (["whom"], "cannot read 'whom': write options as name=value"),
        (
            ["--whom", "me"],
            "cannot read '--whom': options are written name=value, here whom=me",
        ),
        (["--whom=me"], "cannot read '--whom=me': options are written name=value, here whom=me"),
    ],
)
def test_bad_use_ends_in_one_line_and_code_2(folder: Path, arguments: list, line: str) -> None:
    done = run(folder, *arguments)
    assert done.stderr == f"error: {line}\n"
    assert done.stdout == ""
    assert done.returncode == 2


def test_ctrl_c_ends_in_one_line_and_a_bug_keeps_its_traceback(folder: Path) -> None:
    for how in ("interrupt", "destructor"):  # where Python drops exceptions
        stopped = run(folder, "whom=me", f"how={how}")
        assert (stopped.returncode, stopped.stderr) == (130, "interrupted\n")
    broken = run(folder, "whom=me", "how=bug")
    assert broken.returncode == 1
    assert "Traceback" in broken.stderr
    assert "ZeroDivisionError: a bug" in broken.stderr


def test_a_good_command_runs(folder: Path) -> None:
    done = run(folder, "whom=me", "animal=bird")
    assert (done.returncode, done.stdout, done.stderr) == (0, "hello me 2\n", "")


def test_help_shows_purpose_choices_and_commented_options(folder: Path) -> None:
    done = run(folder, "--help")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "Greet somebody."
    assert "  python greet.py whom=you" in lines
    assert "  animal=cat  of  bird, cat" in lines
    assert "whom: ???   # who is greeted" in lines
    assert "how: ${.manner}" in lines
    assert lines[lines.index("# The manner.") + 1] == "manner: kindly"
    assert "defaults:" not in lines
    assert len(lines) < 25


def test_only_what_people_gave_is_explained() -> None:
    assert explain(InputError("a\n b")) == "a b"
    assert explain(RuntimeError("a bug")) is None
    error = RuntimeError("outer")
    error.__cause__ = InputError("inner")
    assert explain(error) == "inner"


def test_setup_makes_every_generator_repeat() -> None:
    def draw() -> list[float]:
        legacy = np.random.rand()  # noqa: NPY002  the generator that setup seeds
        return [random.random(), float(legacy), torch.rand(1).item()]

    before = torch.get_float32_matmul_precision()
    try:
        setup(3)
        first = draw()
        setup(3)
        assert draw() == first
        setup(4)
        assert not set(draw()) & set(first)
        setup(None)
    finally:
        torch.set_float32_matmul_precision(before)
