"""Galleries of version 0.1, read to be converted to libraries.

A gallery is a safetensors file: ``latents``, and in ``packed`` a JSON record of each motion that
ends at the next of ``offsets``: key, start and end in seconds, and as stamp the time of change of
its features.
"""

from itertools import pairwise
from pathlib import Path

import orjson
from safetensors import SafetensorError, safe_open

from tmr.errors import InputError
from tmr.search.entry import Entry
from tmr.search.library import Library
from tmr.search.rows import LONGEST_WHOLE


def take_over(gallery: Path, library: Library) -> int:
    """Add to a library what it has not, and a gallery has, of its source; how many motions.

    Left out are motions whose features or first caption changed since, and those so long that
    their latents are made in another way now.

    Raises:
        InputError: no gallery there, it is damaged, or another model made it.
    """
    try:
        with safe_open(gallery, framework="pt") as file:
            fingerprint = orjson.loads(file.metadata()["tmr"])["fingerprint"]
            packed = file.get_tensor("packed").numpy().tobytes()
            offsets = file.get_tensor("offsets").tolist()
            latents = file.get_tensor("latents")
        records = [orjson.loads(packed[begin:end]) for begin, end in pairwise(offsets)]
        rows = {(r["key"], r["start"], r["end"], r["stamp"]): i for i, r in enumerate(records)}
    except (SafetensorError, OSError, LookupError, TypeError, ValueError) as error:
        raise InputError(
            f"{gallery} is no gallery of version 0.1, or is damaged: {error}"
        ) from None
    if fingerprint != library.encoder.fingerprint:
        raise InputError(
            f"{gallery} was made by other weights than those of {library.encoder.name!r}; give "
            "the run that made it as run_dir=RUN_DIR"
        )
    source, held = library.source, library.held()
    assert source is not None
    entries, chosen = [], []
    for listed in source.list():
        start, end = listed.span or (0.0, 0.0)
        stamp = source.path(listed.take).stat().st_mtime_ns
        row = rows.get((listed.take.key, start, end, stamp))
        if row is not None and listed.take.key not in held and end - start <= LONGEST_WHOLE:
            entries.append(Entry(source.read(listed).take, start, end))
            chosen.append(row)
    library.store.replace([], entries, latents[chosen])
    return len(entries)
