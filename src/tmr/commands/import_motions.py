"""Motion files of any kind to joints of the 22-joint skeleton."""

from pathlib import Path
from typing import Any

from tmr.motion.conventions import Overrides
from tmr.motion.preprocessing import import_folder


def import_motions(
    source: str,
    name: str,
    base_folder: str,
    flat: bool,
    overwrite: bool,
    processes: int | None,
    **reading: Any,
) -> None:
    """Import every motion file below the source folder."""
    target = Path(base_folder, name)
    import_folder(source, target, Overrides(**reading), processes, flat, overwrite)
