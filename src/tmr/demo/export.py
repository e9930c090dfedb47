"""Motions as files to take away, whole or in part, and as bytes for the viewer."""

import re
import threading
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tmr.demo.session import Session
from tmr.errors import InputError
from tmr.io import save_array
from tmr.motion.apart import apart
from tmr.motion.skeleton import FPS
from tmr.motion.writers.bvh import write_bvh
from tmr.motion.writers.bvh_cut import cut_bvh
from tmr.motion.writers.gif import write_gif
from tmr.motion.writers.glb import write_glb
from tmr.progress import check_wanted
from tmr.search.entry import TakeInfo, frame_span
from tmr.spreadsheet import write_rows

FORMATS = ("bvh", "glb", "npy", "gif")
MAX_GIF_SECONDS = 20
MAX_GIFS = 2  # drawn at once
MAX_ZIPPED = 100
_drawing = threading.BoundedSemaphore(MAX_GIFS)


@dataclass(frozen=True, slots=True)
class Part:
    """The seconds [``start``, ``end``) of a motion's file; all that is shown of it by default."""

    motion_id: str
    start: float | None = None
    end: float | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """A motion that was found, as a line of ``results.csv`` names it."""

    part: Part
    score: float | None = None


def export(
    session: Session, part: Part, format: str, folder: Path, meters: bool = False,
    to_origin: bool = False,
) -> Path:  # fmt: skip
    """Write a part of a motion to a file in a folder, in one of ``FORMATS``.

    The name is the take's, with the frames of a part: ``walk_03_120-245.bvh``. A BVH file is cut
    from the source where that is one: its own rig, frame rate and units. Every other is our
    skeleton at 20 frames a second, in centimeters or, with ``meters``, in meters; GLB has meters.
    ``to_origin`` moves a cut file above the origin, where all others are.

    Raises:
        InputError: no such motion or part, one that is too long for a picture, or too many
            pictures that are being drawn already.
    """
    check_wanted()
    take, start, end = session.span(part.motion_id, part.start, part.end)
    whole = session.span(part.motion_id) == (take, start, end)
    path = folder / f"{_stem(take, start, end, whole)}.{format}"
    source = session.bvh_source(part.motion_id)
    if format == "bvh" and source is not None:
        first, last = frame_span(take, start, end)
        up = session.source_axes(part.motion_id)[1] if to_origin else None
        apart(cut_bvh, source, path, first, last, motion_frames=take.frames, origin_up=up)
        return path
    joints = session.joints(part.motion_id, part.start, part.end)
    if format == "bvh":
        write_bvh(path, joints, "m" if meters else "cm")
    elif format == "glb":
        write_glb(path, joints, path.stem)
    elif format == "gif":
        _write_gif(path, joints, session.title(part.motion_id))
    else:
        save_array(path, session.features(part.motion_id, part.start, part.end))
    return path


def export_zip(
    session: Session, results: Sequence[Result], format: str, path: Path, meters: bool = False,
    to_origin: bool = False,
) -> None:  # fmt: skip
    """Write motions to a zip file, with a ``results.csv`` that lists them in their order.

    Files lie in folders as in their libraries.

    Raises:
        InputError: as :func:`export`, more than ``MAX_ZIPPED`` motions, or nobody waits.
    """
    if not 0 < len(results) <= MAX_ZIPPED:
        raise InputError(f"found {len(results)} motions, expected 1 to {MAX_ZIPPED} for a zip file")
    rows = [("rank", "score", "file", "start", "end", "caption")]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for rank, result in enumerate(results, start=1):
            part = result.part
            written = export(session, part, format, path.parent, meters, to_origin)
            library, _, key = part.motion_id.partition("/")
            folders = [file_name(name) for name in (library, *key.split("/")[:-1])]
            name = "/".join((*folders, written.name))
            archive.write(written, name)
            written.unlink()
            _, start, end = session.span(part.motion_id, part.start, part.end)
            score = "" if result.score is None else f"{result.score:.4f}"
            caption = _cell(session.title(part.motion_id))
            rows.append((str(rank), score, _cell(name), f"{start:.3f}", f"{end:.3f}", caption))
        table = path.with_name("results.csv")
        write_rows(table, rows)
        archive.write(table, table.name)
        table.unlink()


def millimeters(session: Session, motion_id: str) -> bytes:
    """Joints (T, 22, 3) of a motion for the viewer: 16-bit integers, little end first."""
    return np.round(1000 * session.joints(motion_id)).clip(-32767, 32767).astype("<i2").tobytes()


def file_name(text: str) -> str:
    """A text as the name of a file: letters, digits and ``._-``, at most 120 of them."""
    return re.sub(r"[^\w.-]+", "_", text).lstrip(".")[-120:] or "motion"


def _stem(take: TakeInfo, start: float, end: float, whole: bool) -> str:
    name = file_name(take.key.rpartition("/")[2])
    first, last = frame_span(take, start, end)
    return name if whole else f"{name}_{first}-{last}"


def _write_gif(path: Path, joints: np.ndarray, title: str) -> None:
    if len(joints) > MAX_GIF_SECONDS * FPS:
        raise InputError(
            f"a GIF shows at most {MAX_GIF_SECONDS} seconds, and this is "
            f"{len(joints) / FPS:.0f} seconds long: set in and out closer together"
        )
    if not _drawing.acquire(blocking=False):
        raise InputError(f"{MAX_GIFS} GIFs are being drawn already; try again in a moment")
    try:
        write_gif(path, joints, title)
    finally:
        _drawing.release()


def _cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
