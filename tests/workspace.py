"""A checkout of the working tree in which tests run commands as users do."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.processes import completed

ROOT = Path(__file__).resolve().parent.parent
# `make quickstart` with few motions and epochs: appended to the command.
SMALL = "MOTIONS='size.motions=240 size.test=40 size.val=12' EPOCHS=2"
# A call of Python without anything for a shell to do.
PLAIN = re.compile(r"python (?!-c)[^$`|<>;&*~\n]*")


def call(name: str, *arguments: str) -> Any:
    """Run a command in this process, in the current folder; what it raises is raised."""
    from tmr.commands import cli  # after the hook that checks shapes

    return cli.call(ROOT / "configs", name, *arguments)


class Workspace:
    """A checkout of the working tree in a folder of its own, where commands run as users do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
        for name in filter(None, listed.stdout.split("\0")):
            if (ROOT / name).is_file():
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, target)  # with its time, or make would install again
        if not (folder / ".venv").is_symlink():  # one that was made before
            (folder / ".venv").symlink_to(ROOT / ".venv")

    def run(self, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """A command line in the folder, with the project's Python first on the path.

        A plain call of Python is forked from a process that has the large libraries loaded: tests
        start some fifty, and each would spend seconds on its imports. ``exec python`` is not.
        """
        if PLAIN.fullmatch(command) and not environment:
            return completed(self.folder, command)
        path = f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=self.folder, capture_output=True, text=True, check=False,
            env=os.environ | {"PATH": path} | environment,
        )  # fmt: skip

    def follow(self, block: str) -> str:
        """What the commands of a guide print, one after the other."""
        lines = block.replace("\\\n", " ").splitlines()
        return "".join(self.succeed(line) for line in lines if line.strip())

    def succeed(self, command: str, **environment: str) -> str:
        """What a command that must succeed prints, without colors."""
        done = self.run(command, **environment)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return re.sub(r"\x1b\[\d+m", "", done.stdout + done.stderr)

    def refuse(self, command: str) -> str:
        """The one line by which a command refuses bad input; no other file may appear."""
        before = self.files()
        done = self.run(command)
        assert done.returncode == 2, f"{command}\n{done.stdout}\n{done.stderr}"
        lines = done.stderr.strip().splitlines()
        assert len(lines) == 1, done.stderr
        assert self.files() == before
        return lines[0].removeprefix("error: ")

    def files(self) -> set[Path]:
        """Every file in the folder."""
        return {p for p in self.folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts}
