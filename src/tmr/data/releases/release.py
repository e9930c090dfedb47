"""Files of a release: text members of folders and zip archives, index tables, split files."""

import math
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tmr.data.annotations import MAX_UNPACKED, checked_path, read_annotations
from tmr.errors import InputError
from tmr.motion.folders import find_files
from tmr.motion.read import READERS
from tmr.motion.skeleton import FPS
from tmr.spreadsheet import check_fields, decode, read_rows

SPLITS = ("train", "val", "test", "train_val", "all", "nsim_test")


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a motion file that a key stands for: seconds [start, end).

    ``end`` is infinite where the part goes to the end of the file.
    """

    path: str
    start: float
    end: float


def find_part(release: Path, *names: str) -> Path | None:
    """The first of ``names`` that exists in the release or in the one folder inside it."""
    inside = [p for p in release.iterdir() if p.is_dir()] if release.is_dir() else []
    for folder in [release, *sorted(inside)]:
        for name in names:
            if (folder / name).exists():
                return folder / name
    return None


def text_members(place: Path, suffix: str) -> Iterator[tuple[str, str]]:
    """Name without ``suffix``, and text, of each such file in a folder or zip archive, by name.

    Raises:
        InputError: a damaged archive, or a file that is not UTF-8; it is named.
    """
    for name, content in _members(place, suffix):
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(f"{place}, {name}: not UTF-8 text: {error}") from None
        yield PurePosixPath(name).name.removesuffix(suffix), text


def _members(place: Path, suffix: str) -> Iterator[tuple[str, bytes]]:
    if place.is_dir():
        for file in find_files(place, [suffix]).files:
            yield file.relative_to(place).as_posix(), file.read_bytes()
        return
    try:
        with zipfile.ZipFile(place) as archive:
            if sum(member.file_size for member in archive.infolist()) > MAX_UNPACKED:
                raise InputError(f"{place} unpacks to more than {MAX_UNPACKED >> 20} MB: no texts")
            for name in sorted(archive.namelist()):
                # Archives made on a Mac carry a hidden twin of each file.
                if name.endswith(suffix) and not PurePosixPath(name).name.startswith("."):
                    yield name, archive.read(name)
    # Encrypted members, unknown kinds of compression, and cut ones have errors of their own.
    except (zipfile.BadZipFile, OSError, RuntimeError, EOFError, zlib.error) as error:
        raise InputError(
            f"{place} is neither a folder nor a whole zip archive ({error}); download it again"
        ) from None


def seconds(text: str, place: str) -> float:
    """A number of seconds, at least 0; InputError that names the place otherwise."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise InputError(f"{place}: {text!r} is not a number of seconds")
    return value


def read_index(path: Path) -> dict[str, Window]:
    """Which part of which motion file each key stands for.

    Three forms: HumanML3D's ``index.csv`` (``source_path,start_frame,end_frame,new_name``, frames
    at 20 a second, -1 for the end of the file), a CSV with ``key,path,start,end`` in seconds, or
    another ``annotations.json``.

    Raises:
        InputError: no such file, columns that are in none of these forms, a bad row, or two rows
            for one key.
    """
    if path.suffix == ".json":
        known = read_annotations(path.parent).items()
        return {key: Window(a.path, 0.0, a.duration) for key, a in known}
    windows: dict[str, Window] = {}
    lines: dict[str, int] = {}
    for line, row in read_rows(path):
        place = f"{path}, line {line}"
        if "source_path" in row:
            check_fields(list(row), ("start_frame", "end_frame", "new_name"), str(path))
            start = round(seconds(row["start_frame"], place) / FPS, 3)
            to_the_end = row["end_frame"] == "-1"
            end = math.inf if to_the_end else round(seconds(row["end_frame"], place) / FPS, 3)
            key, source = PurePosixPath(row["new_name"]).stem, row["source_path"]
        else:
            check_fields(list(row), ("key", "path", "start", "end"), str(path))
            start, end = seconds(row["start"], place), seconds(row["end"], place)
            key, source = row["key"], row["path"]
        if end <= start:
            raise InputError(f"{place}: the window ends at {end} s, at or before its start {start}")
        if key in windows:
            raise InputError(f"{place}: a second window of {key!r}, which line {lines[key]} has")
        path_of = checked_path(motion_path(source), place)
        windows[key], lines[key] = Window(path_of, start, end), line
    if not windows:
        raise InputError(f"{path} has no rows")
    return windows


def motion_path(source: str) -> str:
    """A file name of a release as the path of an annotation: below the motions, no extension."""
    path = PurePosixPath(source.replace("\\", "/"))
    known = path.suffix.lower() in READERS
    parts = (path.with_suffix("") if known else path).parts
    return "/".join(part for part in parts if part not in (".", "pose_data"))


def read_splits(folder: Path) -> dict[str, list[str]]:
    """The release's split files in ``folder``, by name; ``all`` is made where it is missing.

    Raises:
        InputError: ``train``, ``val`` or ``test`` is not there.
    """
    files = {name: folder / f"{name}.txt" for name in SPLITS}
    missing = [name for name in ("train", "val", "test") if not files[name].is_file()]
    if missing:
        raise InputError(
            f"no {', '.join(f'{name}.txt' for name in missing)} in {folder}; "
            "put the release's split files there"
        )
    splits = {
        name: decode(file.read_bytes(), str(file)).split()
        for name, file in files.items()
        if file.exists()
    }
    every = [key for name in ("train", "val", "test") for key in splits[name]]
    return splits if "all" in splits else splits | {"all": every}
