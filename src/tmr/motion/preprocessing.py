"""Whole folders of motion files: import them, and compute their features.

Both functions use every core, leave out files that cannot be used, make again what was made from
other bytes, with other options or by another version, resume after a kill, and give the same files
in any order of work. Memory holds a few short files, or a long one, for each process.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Float

from tmr.digests import content_digest, fingerprint
from tmr.errors import InputError
from tmr.io import save_array
from tmr.motion.conventions import NoMotion, Overrides
from tmr.motion.feature_checks import joints_problem
from tmr.motion.features import checked_joints, joints_to_feature_pairs
from tmr.motion.file_jobs import SKIPPED, Folder, Job, Outcome, Summary, attempt, run
from tmr.motion.folders import FoundFiles, find_files
from tmr.motion.manifest import MANIFEST, Manifest, Stamp
from tmr.motion.overrides_table import TABLE, read_overrides
from tmr.motion.read import READERS, check_readable, read_motion, sources_of
from tmr.motion.readers.npy import POSE_DATA, load_npy, x_is_negated
from tmr.motion.skeleton import NUM_JOINTS

log = logging.getLogger(__name__)

MIRRORED = "M"  # the folder of mirrored features, beside those of the data sets

# Raised when the same bytes and options give other joints, or other features.
_JOINTS_VERSION = 2
_FEATURES_VERSION = 2

_TO_IMPORT = (
    "(to python -m prepare.import_motions, which makes joints that features can be made of)"
)
_BATCH_BYTES = 1024 * NUM_JOINTS * 3 * 4  # frames enough to make NumPy's calls worth their cost
# Files that lie beside motions and hold none themselves.
_BESIDE_MOTIONS = {".asf", ".csv", ".txt", ".md", ".json", ".yaml", ".jpg", ".png"}
_ONE_FRAME = "a clip of one frame has no motion"


def import_folder(
    source: Path | str,
    target: Path | str,
    overrides: Overrides | None = None,
    processes: int | None = None,
    flat: bool = False,
    overwrite: bool = False,
) -> Summary:
    """Every motion file below ``source`` as float32 joints (T, 22, 3) in .npy below ``target``.

    Joints are meters, Y up, right-handed, 20 frames a second; a file keeps its path with the
    suffix .npy, with ``flat`` its name alone. ``overrides`` is what the files do not state about
    themselves; ``source/overrides.csv`` gives it for single folders and files. ``processes`` is
    the number of processes, None for one a core. Files without motion are skipped with a warning;
    they and what could not be used are listed in ``target/skipped.csv``. Joints of files that are
    gone are removed. ``overwrite`` makes all again, also where ``target`` was made from another
    folder.

    Raises:
        InputError: a folder without motions, two files that would become one, an unknown profile,
            a target made from another folder; and, after all others are written, files that could
            not be read.
    """
    source, target = Path(source), Path(target)
    if target.name == MIRRORED:
        raise InputError(f"the name {MIRRORED!r} is kept for mirrored motions: choose another one")
    found = _find(source, READERS, advice="give the folder of your motion files as source=FOLDER")
    left_out = Counter({s: n for s, n in found.others.items() if s not in _BESIDE_MOTIONS})
    if left_out:
        log.info("import: files of other kinds are left out: %s", _listed(left_out))
    names = {
        file: Path(file.name if flat else file.relative_to(source)).with_suffix(".npy").as_posix()
        for file in (*found.files, *found.unusable)
    }
    _refuse_clashes(names, target)
    settings = _settings(found.files, source, overrides or Overrides())
    jobs = [
        Job(names[file], sources_of(file), (target / names[file],), given, _fingerprint_of(given))
        for file, given in settings.items()
    ]
    folder = Folder(Manifest(target), jobs, lambda name: [target / name])
    folder.begin(source, overwrite, "name=NAME, or the folder above both as source=FOLDER")
    return run(
        "import",
        _import_batch,
        [folder],
        lambda pending: [[job] for job in pending],
        target / SKIPPED,
        overwrite,
        [Outcome(file, skipped=reason) for file, reason in found.unusable.items()],
        [names[file] for file in found.unusable],
        processes,
    )


def compute_features(
    source: Path | str,
    target: Path | str,
    name: str | None = None,
    x_negated: bool | None = None,
    processes: int | None = None,
    overwrite: bool = False,
) -> Summary:
    """Features and mirrored features, float32 (T-1, 263), of every joint file below ``source``.

    ``source/PATH.npy`` makes ``target/PATH.npy`` and ``target/M/PATH.npy``; with ``name``, only
    files below ``source/name``. ``x_negated`` says that the files have their x axis negated, as
    HumanML3D's notebook writes them, all but those in its folder ``humanact12``; None means that
    they have when ``source`` is called ``pose_data``. Clips of one frame are skipped with a
    warning; they and what could not be used are listed in ``target/name/skipped.csv``. Features
    of joint files that are gone are removed. ``overwrite`` makes all again, also where features of
    this name were made from another folder.

    Raises:
        InputError: a folder without joints, features made from another folder; and, after all
            others are written, files that could not be used.
    """
    source, target = Path(source), Path(target)
    if x_negated is None:
        x_negated = source.name == POSE_DATA
    advice = (
        "first run `python -m prepare.import_motions source=FOLDER name=NAME`, or put the folder "
        f"that HumanML3D's notebook writes at {source.with_name(POSE_DATA)}"
    )
    found = _find(source / (name or ""), [".npy"], advice)
    groups: dict[str, list[Path]] = {part: [] for part in _made_before(source, target, name)}
    for file in found.files:
        first, *inside = file.relative_to(source).parts
        groups.setdefault(name or (first if inside else ""), []).append(file)
    folders = []
    for part, files in groups.items():
        jobs = []
        for file in files:
            relative = file.relative_to(source)
            negated = x_negated and x_is_negated(relative)
            targets = target / relative, target / MIRRORED / relative
            inside = relative.relative_to(part).as_posix()
            made_with = fingerprint("features", _FEATURES_VERSION, x_negated=negated)
            jobs.append(Job(inside, (file,), targets, negated, made_with))
        folder = Folder(Manifest(target / part), jobs, _both(target, part))
        folder.begin(source / part, overwrite, "output_folder=FOLDER")
        folders.append(folder)
    return run(
        "compute features",
        _compute_batch,
        folders,
        _batches,
        target / (name or "") / SKIPPED,
        overwrite,
        [Outcome(file, skipped=reason) for file, reason in found.unusable.items()],
        [file.relative_to(source / (name or "")).as_posix() for file in found.unusable],
        processes,
    )


def _find(folder: Path, suffixes: Iterable[str], advice: str) -> FoundFiles:
    if folder.is_file():
        raise InputError(f"{folder} is a file, expected its folder: {folder.parent}")
    if not folder.is_dir():
        raise InputError(f"no folder {folder}: {advice}")
    suffixes = tuple(suffixes)
    found = find_files(folder, suffixes)
    if not found.files and not found.unusable:
        there = f", found {_listed(found.others)}" if found.others else ""
        raise InputError(f"no {' or '.join(suffixes)} file below {folder}{there}: {advice}")
    return found


def _listed(suffixes: Counter[str]) -> str:
    """Numbers of files by their suffixes, the commonest first."""
    return ", ".join(f"{count} {suffix}" for suffix, count in suffixes.most_common(8))


def _refuse_clashes(names: dict[Path, str], target: Path) -> None:
    files: dict[str, Path] = {}
    for file, name in names.items():
        if name in files:
            raise InputError(f"{files[name]} and {file} would both become {target / name}")
        files[name] = file


def _settings(files: Sequence[Path], source: Path, default: Overrides) -> dict[Path, Overrides]:
    """The overrides of each file."""
    table = read_overrides(source / TABLE, default, files)
    settings = {file: table.of(PurePosixPath(file.relative_to(source))) for file in files}
    for given in dict.fromkeys(settings.values()):
        check_readable([file for file in files if settings[file] == given], given)
    return settings


def _fingerprint_of(given: Overrides) -> str:
    profile = Path(given.profile) if given.profile else None
    own = content_digest(profile) if profile and profile.is_file() else None
    return fingerprint("joints", _JOINTS_VERSION, given=asdict(given), profile=own)


def _made_before(source: Path, target: Path, name: str | None) -> list[str]:
    """Names whose features were made from ``source`` before, also where all joints have gone."""
    if name:
        return [name]
    manifests = [Manifest(path.parent) for path in target.glob(f"*/{MANIFEST}")]
    return [
        manifest.path.parent.name
        for manifest in manifests
        if manifest.source == source.absolute() / manifest.path.parent.name
    ]


def _both(target: Path, part: str) -> Callable[[str], Sequence[Path]]:
    return lambda name: (target / part / name, target / MIRRORED / part / name)


def _import_batch(jobs: Sequence[Job]) -> list[Outcome]:
    return [attempt(_import_file, job.source, job) for job in jobs]


def _import_file(source: Path, job: Job) -> Outcome:
    stamp = Stamp.of(job.sources)
    take = read_motion(source, job.settings, log_warnings=False)
    if len(take.joints) < 2:
        raise NoMotion(_ONE_FRAME)
    save_array(job.targets[0], take.joints.astype(np.float32))
    return Outcome(source, len(take.joints), stamp, str(take.reading), take.warnings)


def _compute_batch(jobs: Sequence[Job]) -> list[Outcome]:
    outcomes, usable, motions = [], [], []
    for job in jobs:
        loaded = attempt(_load_joints, job.source, job)
        if isinstance(loaded, Outcome):
            outcomes.append(loaded)
        else:
            usable.append((job, loaded[0]))
            motions.append(loaded[1])
    pairs = joints_to_feature_pairs(motions) if motions else []
    # One motion of a batch, which is one long or several short ones, shows what all of them mean.
    odd = joints_problem(motions[0]) if motions else None
    for i, ((job, stamp), pair) in enumerate(zip(usable, pairs, strict=True)):
        warnings = (f"{odd} {_TO_IMPORT}",) if odd and i == 0 else ()
        outcomes.append(attempt(_save_pair, job.source, job, stamp, pair, warnings))
    return outcomes


def _load_joints(source: Path, job: Job) -> tuple[Stamp, Float[np.ndarray, "frames 22 3"]]:
    stamp = Stamp.of(job.sources)
    joints = load_npy(source)
    if joints.shape[:1] == (1,):
        raise NoMotion(_ONE_FRAME)
    joints = checked_joints(joints)
    return stamp, joints * np.array([-1.0, 1.0, 1.0]) if job.settings else joints


def _save_pair(
    source: Path,
    job: Job,
    stamp: Stamp,
    pair: tuple[np.ndarray, np.ndarray],
    warnings: tuple[str, ...],
) -> Outcome:
    for target, features in zip(job.targets, pair, strict=True):
        save_array(target, features)
    return Outcome(source, len(pair[0]), stamp, warnings=warnings)


def _batches(jobs: Sequence[Job]) -> list[list[Job]]:
    """Jobs in groups of whose files not much more than the given number of bytes is read."""
    batches: list[list[Job]] = []
    size = _BATCH_BYTES
    for job in jobs:
        if size >= _BATCH_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(job)
        size += job.source.stat().st_size
    return batches
