"""AMASS files by the names of all its releases.

Archives were renamed (BioMotionLab_NTroje is BMLrub now), some unpack with a folder of their own
name inside, SMPL-H files end in ``_poses`` and SMPL-X files in ``_stageii`` with underscores for
blanks. Captions name motions by one spelling, and files may lie there by another.
"""

from collections.abc import Iterator
from itertools import product

_RENAMED = (
    ("BioMotionLab_NTroje", "BMLrub"),
    ("DFaust_67", "DFaust67", "DFaust"),
    ("Eyes_Japan_Dataset", "EyesJapanDataset"),
    ("MPI_HDM05", "MPIHDM05", "HDM05"),
    ("MPI_Limits", "MPILimits", "PosePrior"),
    ("MPI_mosh", "MPImosh", "MoSh"),
    ("SSM_synced", "SSMsynced", "SSM"),
    ("TCD_handMocap", "TCDhandMocap", "TCDHands"),
    ("Transitions_mocap", "Transitionsmocap", "Transitions"),
)
_OTHERS = (
    *("ACCAD", "BMLhandball", "BMLmovi", "CMU", "CNRS", "DanceDB", "EKUT", "GRAB", "HUMAN4D"),
    *("HumanEva", "KIT", "SFU", "SOMA", "TotalCapture", "WEIZMANN"),
)
_NAMES = {name: names for names in _RENAMED for name in names} | {n: (n,) for n in _OTHERS}
_ENDINGS = ("_poses", "_stageii", "")


def spellings(path: str) -> Iterator[str]:
    """All paths under which releases of AMASS have a motion; none for a path that is not theirs.

    ``path`` is that of an annotation, without extension: archive, folders, file.
    """
    *parents, file = path.split("/")
    archive, *folders = parents or [""]
    names = _NAMES.get(archive, ())
    folders = folders[1:] if folders and folders[0] in names else folders
    stem = next(file.removesuffix(end) for end in _ENDINGS if file.endswith(end))
    for name, inner, ending in product(names, ("", *names), _ENDINGS):
        plain = "/".join(part for part in (name, inner, *folders, stem + ending) if part)
        yield plain
        if " " in plain:
            yield plain.replace(" ", "_")
