"""Search the motions of a folder, a library or a data set by a sentence."""

from collections.abc import Mapping
from typing import Any

from tmr.api import load
from tmr.commands.found import check_output, show
from tmr.commands.library import filter_of, find, library_of, split_of
from tmr.search.query import parse_query


def search(
    run_dir: str,
    text: str,
    folder: str | None,
    library: str | None,
    split: str | None,
    windows: float | int | None,
    top: int,
    where: str | None,
    min_seconds: float | int,
    mirrored: bool,
    output: str | None,
    ckpt: str,
    device: str,
    data: Mapping[str, Any] | None = None,
    **reading: Any,
) -> None:
    """Print what fits a sentence or query best: rank, score, file, seconds and frames.

    What is new is encoded first; the latents are kept in ``RUN_DIR/libraries``.
    """
    check_output(output)
    parse_query(text)  # refused before anything is encoded
    split = split_of(split, folder, library)
    wanted = filter_of(where, split, min_seconds, windows)
    model = load(run_dir, device, ckpt)
    searched = library_of(model, folder, library, data, split, windows, reading)
    found = find(searched, text, top, wanted, windows, mirrored=mirrored)
    show(text if '"' in text else f'"{text}"', found, output)
