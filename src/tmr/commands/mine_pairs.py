"""Near duplicates, disagreeing pairs, badly fitting captions and clusters of a data set."""

import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from tmr.api import load
from tmr.io import write_json, write_text
from tmr.mining import Thresholds, markdown, mine
from tmr.runs.build import data_of
from tmr.runs.libraries import open_library
from tmr.search.filters import quoted

log = logging.getLogger(__name__)


def mine_pairs(
    run_dir: str,
    split: str,
    clusters: int | None,
    pairs: int,
    examples: int,
    seed: int,
    ckpt: str,
    device: str,
    data: Mapping[str, Any] | None = None,
    **thresholds: float | int,
) -> None:
    """Print and write what a split of a data set holds twice, contradicts, or has in common."""
    model = load(run_dir, device, ckpt)
    data_set = data_of({"data": data} if data else model.config)
    library = open_library(model.run, ckpt, model, data_set, [split])
    title, where = f"{library.name}, split {split}", f"split = {quoted(split)}"
    mined = mine(library, title, where, Thresholds(**thresholds), clusters, pairs, seed)
    folder = model.run.root / "mining" / f"{library.name}_{split}"
    page = markdown(mined, examples)
    print(page)
    write_text(folder / "report.md", page)
    write_json(folder / "mined.json", asdict(mined))
    log.info("wrote %s/{report.md,mined.json}", folder)
