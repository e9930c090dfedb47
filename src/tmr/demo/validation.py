"""Checks of what a request holds: values come from anybody, and are of any type."""

import html
import re
from collections.abc import Sequence
from pathlib import Path

from tmr.errors import InputError

MAX_MESSAGE_LENGTH = 300
MAX_ID_LENGTH = 1000
# A path from the root of a disk up to its last name.
_FOLDERS = re.compile(r"(?<![\w.:/\\<-])(?:[A-Za-z]:)?[/\\](?:[^/\\\n'\"`:]*[/\\])*(?=[^/\\\s])")


def number(value: object, name: str, low: float | int, high: float | int) -> float:
    """A finite number within bounds; ``name`` is that of its field on the page."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InputError(f"{name}: expected a number, found {_kind(value)}")
    if not low <= value <= high:  # as are NaN and infinity
        raise InputError(
            f"{name}: expected a number from {low:g} to {high:g}, found {str(value)[:12]}"
        )
    return float(value)


def whole_number(value: object, name: str, low: int, high: int) -> int:
    """A whole number within bounds."""
    checked = number(value, name, low, high)
    if checked != int(checked):
        raise InputError(f"{name}: expected a whole number, found {checked:g}")
    return int(checked)


def choice(value: object, name: str, options: Sequence[str]) -> str:
    """One of the options."""
    if not isinstance(value, str) or value not in options:
        found = repr(value[:40]) if isinstance(value, str) else _kind(value)
        raise InputError(f"{name}: found {found}, expected one of {', '.join(options)}")
    return value


def text_of(value: object, name: str) -> str:
    """A short text."""
    if not isinstance(value, str) or len(value) > MAX_ID_LENGTH:
        raise InputError(f"{name}: expected a short text, found {_kind(value)}")
    return value


def motion_id(value: object) -> str:
    """What may be the id of a motion."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ID_LENGTH:
        raise InputError(f"expected the id of a motion, found {_kind(value)}")
    return value


def uploaded_file(value: object, folder: Path) -> Path:
    """The file of a Gradio file value, which must be an ordinary file below ``folder``.

    Raises:
        InputError: no such value, a file from elsewhere, or one that is gone.
    """
    if not isinstance(value, dict) or not isinstance(value.get("path"), str):
        raise InputError("give a motion file")
    path = Path(value["path"])
    if not is_ordinary_file_below(path, folder):
        raise InputError("this file is no longer here; give it again")
    return path


def is_ordinary_file_below(path: Path, folder: Path) -> bool:
    """Whether a path is that of an ordinary file below a folder, links followed."""
    try:
        return path.is_absolute() and folder.resolve() in path.resolve().parents and path.is_file()
    except (OSError, ValueError, RuntimeError):  # names too long, with NUL, links in a circle
        return False


def is_folder(path: Path) -> bool:
    """Whether there is a folder at a path that somebody typed."""
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a name too long, or with NUL
        return False


def message(error: InputError | str) -> str:
    """An error as the page shows it: at most 300 characters, no folders, no markup."""
    text = " ".join(_FOLDERS.sub("", str(error)[:2000]).split())
    if len(text) > MAX_MESSAGE_LENGTH:
        text = f"{text[: MAX_MESSAGE_LENGTH - 1]}…"
    return html.escape(text.encode(errors="replace").decode(), quote=False)


def _kind(value: object) -> str:
    names = {bool: "yes or no", str: "text", list: "a list", dict: "an object"}
    return "nothing" if value in (None, "") else names.get(type(value), "something else")
