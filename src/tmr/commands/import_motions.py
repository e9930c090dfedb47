"""Motion files of any kind to joints of the 22-joint skeleton."""

from pathlib import Path
from typing import Any

from tmr.motion.conventions import Conventions
from tmr.motion.preprocessing import import_folder


def import_motions(
    source: str, name: str, base_folder: str, processes: int | None, **conventions: Any
) -> None:
    """Import every motion file below the source folder."""
    import_folder(source, Path(base_folder, name), Conventions(**conventions), processes)
