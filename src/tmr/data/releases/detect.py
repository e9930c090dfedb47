"""Which release lies in a folder."""

import zipfile
from pathlib import Path

from tmr.data.releases.kitml import CAPTIONS
from tmr.data.releases.release import find_part
from tmr.errors import InputError
from tmr.motion.folders import find_files

FORMATS = ("humanml3d", "kitml", "babel", "table")


def detect_format(release: Path) -> str:
    """One of ``FORMATS``, by what a release consists of; InputError when it is none of them."""
    if not release.exists():
        raise InputError(f"no file or folder {release}; give the release as release=PATH")
    if release.suffix.lower() in (".csv", ".json"):
        return "table"
    if _has_kit_captions(release):
        return "kitml"
    if find_part(release, "texts", "texts.zip"):
        return "humanml3d"
    if find_part(release, "train.json"):
        return "babel"
    raise InputError(
        f"{release} is no release known here: expected texts/ or texts.zip (HumanML3D), "
        f"*{CAPTIONS} (KIT-ML), train.json and val.json (BABEL), or a .csv or .json file of your "
        "own with path and caption"
    )


def _has_kit_captions(release: Path) -> bool:
    if release.is_dir():
        return bool(find_files(release, [CAPTIONS]).files)
    return zipfile.is_zipfile(release) and any(
        name.endswith(CAPTIONS) for name in zipfile.ZipFile(release).namelist()
    )
