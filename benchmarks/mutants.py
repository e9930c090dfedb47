"""Change one token of the package at a time and see whether its tests notice.

    python benchmarks/mutants.py --tried 15 retrieval data motion/readers cache.py

For each part, a seeded sample of mutants: another comparison or operator, a constant one off, a
flag turned, `and` for `or`, a `not` left out, `None` returned. A mutant is killed when the tests
that mirror its part fail or do not end; the tests of its own module go first. Works on a copy of
the tracked files; annotations, messages and docstrings are not touched.
"""

import argparse
import ast
import contextlib
import gc
import itertools
import multiprocessing
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from multiprocessing.connection import Connection
from pathlib import Path
from types import CodeType, FunctionType

import pytest

ROOT = Path(__file__).resolve().parents[1]
SWAPS = {
    "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==",
    "is": "is not", "is not": "is", "in": "not in", "not in": "in", "and": "or", "or": "and",
    "+": "-", "-": "+", "*": "/", "/": "*", "//": "*", "%": "*", "**": "*", "@": "*",
    "&": "|", "|": "&", "<<": ">>", ">>": "<<",
}  # fmt: skip
OPERATOR = re.compile(r"is\s+not|not\s+in|is|in|and|or|<<|>>|[<>=!]=|//|\*\*|[-<>+*/%@&|]")
# Forked from a process that has imported what takes long, but not the package.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    [
        *("torch", "beartype", "safetensors.torch"),
        *("scipy.ndimage", "sklearn.cluster", "matplotlib.pyplot"),
    ]
)
UNTRIED = 99  # the exit code where a mutant could not be tried
UNTOUCHED = (ast.JoinedStr, ast.Raise, ast.Assert)


@dataclass(frozen=True)
class Mutant:
    """One replacement in a file: the text from ``start`` to ``end`` becomes ``new``."""

    path: Path
    line: int
    start: int
    end: int
    new: str

    def apply(self, root: Path) -> str:
        """Write the changed file below ``root``; returns the text before."""
        before = (root / self.path).read_bytes()
        after = before[: self.start] + self.new.encode() + before[self.end :]
        (root / self.path).write_bytes(after)
        for compiled in (root / self.path).parent.glob(f"__pycache__/{self.path.stem}.*"):
            compiled.unlink()
        return before.decode()

    def describe(self, text: str) -> str:
        """``path:line: line with [old -> new]``."""
        data = text.encode()
        left = data.rfind(b"\n", 0, self.start) + 1
        right = data.find(b"\n", self.end)
        old = data[self.start : self.end].decode()
        line = data[left : self.start].decode().lstrip() + f"[{old} -> {self.new}]"
        return f"{self.path}:{self.line}: {line}{data[self.end : right].decode()}"


class Mutations:
    """Every mutant of a source file."""

    def __init__(self, root: Path, path: Path):
        self.path = path
        self.data = (root / path).read_bytes()
        self.lines = [0]
        for line in self.data.splitlines(keepends=True):
            self.lines.append(self.lines[-1] + len(line))

    def __iter__(self) -> Iterator[Mutant]:
        yield from self.walk(ast.parse(self.data))

    def walk(self, node: ast.AST) -> Iterator[Mutant]:
        """Mutants of a node and of all below it."""
        if isinstance(node, UNTOUCHED):
            return
        yield from self.of(node)
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "type_params", "decorator_list"):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from self.walk(child)

    def of(self, node: ast.AST) -> Iterator[Mutant]:
        """Mutants of a node itself."""
        match node:
            case ast.Compare(left=left, comparators=others):
                yield from self.between([left, *others])
            case ast.BoolOp(values=values):
                yield from self.between(values)
            case ast.BinOp(left=left, right=right):
                yield from self.between([left, right])
            case ast.UnaryOp(op=ast.Not() | ast.USub() as operator):
                length = len("not") if isinstance(operator, ast.Not) else len("-")
                yield self.mutant(node, self.start(node), self.start(node) + length, "")
            case ast.Constant(value=bool(value)):
                yield self.mutant(node, self.start(node), self.end(node), str(not value))
            case ast.Constant(value=int(value) | float(value)):
                yield self.mutant(node, self.start(node), self.end(node), repr(value + 1))
            case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
                yield self.mutant(node, self.start(value), self.end(value), "None")

    def between(self, operands: list[ast.expr]) -> Iterator[Mutant]:
        """Mutants of the operators between operands."""
        for left, right in itertools.pairwise(operands):
            first = self.end(left)
            gap = self.data[first : self.start(right)].decode()
            gap = re.sub(r"#[^\n]*", lambda comment: " " * len(comment[0].encode()), gap)
            if found := OPERATOR.search(gap):
                new = SWAPS[" ".join(found[0].split())]
                yield self.mutant(left, first + found.start(), first + found.end(), new)

    def mutant(self, node: ast.expr | ast.stmt, start: int, end: int, new: str) -> Mutant:
        """The mutant with ``new`` in place of the bytes from ``start`` to ``end``."""
        return Mutant(self.path, node.lineno, start, end, new)

    def start(self, node: ast.expr | ast.stmt) -> int:
        """The byte with which a node begins."""
        return self.lines[node.lineno - 1] + node.col_offset

    def end(self, node: ast.expr | ast.stmt) -> int:
        """The byte after a node."""
        assert node.end_lineno is not None and node.end_col_offset is not None
        return self.lines[node.end_lineno - 1] + node.end_col_offset


def tests_of(path: Path) -> list[str]:
    """Tests that mirror a module: those of its name first, then those of its package."""
    module = path.relative_to("src/tmr")
    if len(module.parts) == 1:
        return [f"tests/test_{module.name}"]
    package = Path("tests") / module.parts[0]
    names = (f"test_{module.stem}*.py", f"test_{module.parent.name}*.py", "test_*.py")
    return list(dict.fromkeys(str(test) for name in names for test in sorted(package.rglob(name))))


class Trial:
    """Pytest's run, but of each mutant in a fork of the process that has collected the tests."""

    def __init__(self, root: Path, mutants: list[Mutant], seconds: float, fates: Connection):
        self.root = root
        self.mutants = mutants
        self.seconds = seconds
        self.fates = fates

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Send whether the tests pass unchanged, then whether they notice each mutant."""
        self.fates.send(self.passes(session, None))
        for mutant in self.mutants:
            before = mutant.apply(self.root)
            self.fates.send(not self.passes(session, mutant))
            (self.root / mutant.path).write_text(before)
        return True

    def passes(self, session: pytest.Session, mutant: Mutant | None) -> bool:
        """Whether the tests pass within some seconds."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Lance says that it may not work in a fork: it does
            process = os.fork()
        if process == 0:
            os.setsid()
            try:
                failed = self.run(session, mutant)
            except BaseException:
                traceback.print_exc()
                os._exit(UNTRIED)
            os._exit(failed)
        end = time.monotonic() + self.seconds
        while (ended := os.waitpid(process, os.WNOHANG))[0] == 0 and time.monotonic() < end:
            time.sleep(0.05)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process, signal.SIGKILL)
        if ended[0] == 0:
            os.waitpid(process, 0)
        code = os.waitstatus_to_exitcode(ended[1])
        if code == UNTRIED:
            sys.exit(f"{mutant} could not be tried")
        return ended[0] == process and code == 0

    def run(self, session: pytest.Session, mutant: Mutant | None) -> bool:
        """Whether a test fails, those of the mutant's module first."""
        items = session.items
        if mutant:
            tests = tests_of(mutant.path)
            if not change(self.root / mutant.path):
                command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
                os.execv(sys.executable, [*command, *tests])
            order = {str(self.root / test): rank for rank, test in enumerate(tests)}
            items = [item for item in items if str(item.path) in order]
            items.sort(key=lambda item: order[str(item.path)])
        for item, following in itertools.zip_longest(items, items[1:]):
            item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.testsfailed:
                print("\nfailed:", item.nodeid, flush=True)
                return True
        return False


def change(path: Path) -> bool:
    """Give functions of a module that is imported the code of its file as it is now.

    False where the change is in none of them, but in what runs when the module is imported.
    """
    modules = [m for m in sys.modules.values() if getattr(m, "__file__", None) == str(path)]
    codes = {}
    for module in modules:
        loader = module.__spec__ and module.__spec__.loader
        assert isinstance(loader, SourceFileLoader)
        pending = [loader.source_to_code(path.read_bytes(), str(path))]
        while pending:
            code = pending.pop()
            codes[code.co_firstlineno, code.co_name] = code
            pending += [value for value in code.co_consts if isinstance(value, CodeType)]
    changed = False
    for function in gc.get_objects():
        if type(function) is FunctionType and function.__code__.co_filename == str(path):
            old = function.__code__
            new = codes.get((old.co_firstlineno, old.co_name), old)
            if new != old:
                function.__code__ = new
                changed = True
    return changed


def run_tests(
    root: Path, tests: list[str], mutants: list[Mutant], seconds: float, fates: Connection
) -> None:
    """Collect tests in the tree ``root`` and try mutants on them."""
    os.chdir(root)
    os.environ["PYTHONPATH"] = str(root / "src")
    sys.path[:0] = [str(root), str(root / "src")]
    with Path(os.environ.get("MUTANTS_LOG", os.devnull)).open("w") as null:
        os.dup2(null.fileno(), 1)
        os.dup2(null.fileno(), 2)
    trial = Trial(root, mutants, seconds, fates)
    pytest.main(["-q", "-p", "no:cacheprovider", *tests], plugins=[trial])


def try_part(root: Path, part: str, options: argparse.Namespace) -> tuple[str, int, int, int, int]:
    """Try a sample of a part's mutants, after the unchanged part has passed its tests."""
    place = Path("src/tmr") / part
    paths = sorted(place.rglob("*.py")) if place.is_dir() else [place]
    mutants = [mutant for path in paths for mutant in Mutations(root, path)]
    sample = random.Random(f"{options.seed} {part}").sample(
        mutants, min(options.tried, len(mutants))
    )
    described = [mutant.describe((root / mutant.path).read_text()) for mutant in sample]
    fates, sender = PROCESSES.Pipe(duplex=False)
    arguments = root, tests_of(paths[0]), sample, options.seconds, sender
    process = PROCESSES.Process(target=run_tests, args=arguments)
    process.start()
    sender.close()
    if not fates.recv():
        sys.exit(f"the tests of {part} fail without a mutant")
    left = 0
    for mutant in described:
        began = time.monotonic()
        noticed = fates.recv()
        left += not noticed
        fate = "killed" if noticed else "left"
        print(f"{fate:6} {time.monotonic() - began:4.0f}s {mutant}", flush=True)
    process.join()
    return part, len(mutants), len(sample), len(sample) - left, left


def main() -> None:
    """Print each mutant with its fate, then a row a part."""
    parser = argparse.ArgumentParser(description="Whether tests notice a changed token.")
    parser.add_argument("parts", nargs="+", help="folders and files below src/tmr")
    parser.add_argument("--tried", type=int, default=15, help="mutants a part")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=1800, help="tests that take longer fail")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        listed = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True)
        for name in filter(None, listed.split("\0")):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, root / name)
        os.chdir(root)
        rows = [try_part(root, part, options) for part in options.parts]
    print("part, mutants, tried, killed, left")
    for row in rows:
        print(*row, sep=", ")


if __name__ == "__main__":
    main()
