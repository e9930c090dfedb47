"""Write the reference at the end of docs/api.md from the docstrings of what `tmr` exports.

python docs/make_api.py
"""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "api.md"
BEGIN = "## Reference\n"
Definition = ast.FunctionDef | ast.ClassDef


def page() -> str:
    """The page as it is to be: the guide as it stands, and the reference made anew."""
    guide = PAGE.read_text(encoding="utf-8").partition(BEGIN)[0]
    return guide + BEGIN + "\n" + "\n\n".join(reference()) + "\n"


def reference() -> Iterator[str]:
    """Signature and docstring of every public name, methods below their class."""
    yield "Made from the docstrings by `python docs/make_api.py`."
    package = ast.parse((ROOT / "src/tmr/__init__.py").read_text(encoding="utf-8"))
    (imports,) = (node.body for node in package.body if isinstance(node, ast.If))
    for line in imports:
        assert isinstance(line, ast.ImportFrom) and line.module is not None
        path = ROOT / "src" / f"{line.module.replace('.', '/')}.py"
        module = ast.parse(path.read_text(encoding="utf-8"))
        names = {alias.name for alias in line.names}
        for node in module.body:
            if isinstance(node, Definition) and node.name in names:
                yield f"### `tmr.{node.name}`\n\n{described(node)}"
                if isinstance(node, ast.ClassDef):
                    yield from members(node)


def members(node: ast.ClassDef) -> Iterator[str]:
    """The public methods and properties of a class."""
    for member in node.body:
        if isinstance(member, ast.FunctionDef) and not member.name.startswith("_"):
            yield described(member, f"{node.name}.")


def described(node: Definition, owner: str = "") -> str:
    """The signature, arguments without their types, and the docstring as Markdown."""
    decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
    signature = f"{owner}{node.name}"
    if isinstance(node, ast.FunctionDef):
        if not decorators & {"property", "cached_property"}:
            for argument in ast.walk(node.args):
                if isinstance(argument, ast.arg):
                    argument.annotation = None
            given = ast.unparse(node.args).removeprefix("self").removeprefix(", ")
            signature += f"({given})"
        if node.returns is not None:
            signature += f" -> {ast.unparse(node.returns)}"
    text = inspect.cleandoc(ast.get_docstring(node) or "")
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text).replace("``", "`")
    text = re.sub(r"Raises:\n((?: {4}.*\n?)+)", _raises, text)
    return f"**`{signature}`**\n\n{text}".strip()


def _raises(found: re.Match[str]) -> str:
    return f"*Raises* {' '.join(found[1].split())}\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
