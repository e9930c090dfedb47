"""The motions behind the page: its libraries, and what people uploaded."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tmr.api import Model, load
from tmr.data import TextMotionData
from tmr.demo.confidence import PLAIN, STRONG, UNRELATED, Confidence, Level
from tmr.demo.libraries import Libraries
from tmr.demo.tags import Tags
from tmr.demo.uploads import read_upload, upload_folder
from tmr.demo.validation import uploaded_file
from tmr.errors import InputError
from tmr.localization.windows import SHORTEST
from tmr.motion.apart import apart
from tmr.motion.features import features_to_joints
from tmr.motion.read import read_motion
from tmr.motion.skeleton import FPS
from tmr.runs.examples import data_to_search
from tmr.runs.libraries import library_folder, open_folder, open_library
from tmr.search.captions import captions_of
from tmr.search.entry import TakeInfo
from tmr.search.library import Library
from tmr.search.query import combine, parse_query
from tmr.search.rows import whole_latents
from tmr.search.sources import FolderSource
from tmr.search.stores.factory import is_library

UPLOADS = "uploads"  # stands where the name of a library stands in the id of an uploaded motion
CALIBRATION = "calibration.safetensors"
REMEMBERED = 50  # uploads; the oldest are forgotten first
RECALIBRATED = 0.1  # part of its size by which a library changes before it is calibrated again


@dataclass(frozen=True, slots=True)
class Upload:
    """A motion that somebody gave: its file name, its features (T, 263), and its latent."""

    name: str
    features: Float[np.ndarray, "frames 263"]
    latent: Float[Tensor, " dim"]


@dataclass
class Session:
    """Motions by their id, ``LIBRARY/KEY``, where the library may be ``uploads``.

    Methods may be called from several threads.
    """

    model: Model
    libraries: Libraries
    uploads: OrderedDict[str, Upload] = field(default_factory=OrderedDict)
    received: OrderedDict[str, str] = field(default_factory=OrderedDict)
    tags: Tags = field(default_factory=Tags)
    lock: threading.Lock = field(default_factory=threading.Lock)
    text_lock: threading.Lock = field(default_factory=threading.Lock)
    _splits: dict[str, tuple[int, list[str]]] = field(default_factory=dict)
    _confidences: dict[tuple[str, bool], tuple[Library, int, Confidence]] = field(
        default_factory=dict
    )

    @property
    def main(self) -> Library:
        """The library that the page starts with."""
        return self.libraries.main

    def library(self, name: str) -> Library:
        """The library of a name; InputError when there is none."""
        return self.libraries[name]

    def splits(self, name: str) -> list[str]:
        """The splits of a library; read again where it has changed."""
        library = self.library(name)
        version = library.store.version
        if self._splits.get(name, (None,))[0] != version:
            self._splits[name] = version, library.splits
        return self._splits[name][1]

    def encode(self, query: str) -> Float[Tensor, " dim"]:
        """The latent of a sentence, or of a query such as ``"walk" + 0.5 "angry"``."""
        terms = parse_query(query)
        return self.encode_terms([t.text for t in terms], [t.weight for t in terms])

    def confidence(
        self, name: str, query: Float[Tensor, " dim"], cosine: float, moment: bool = False
    ) -> Level:
        """Strong, fair or weak: how sure it is that a library's best motion fits a query."""
        return self._calibrated(name, moment).level(query, cosine)

    def _calibrated(self, name: str, moment: bool) -> Confidence:
        """What best cosines mean among a library's takes, or among its moments.

        Calibrated again where the library has grown or shrunk by a tenth: best cosines hardly
        move with less, and while motions are added, every search would calibrate anew.
        """
        library = self.library(name)
        if moment:
            library = self.libraries.windowed(name) or library
        of, size, found = self._confidences.get((name, moment), (None, 0, None))
        if found is None or of is not library or abs(len(library) - size) > RECALIBRATED * size:
            best = library.best_cosines(self._unrelated, windows=moment)
            found = Confidence.of(best, self._unrelated, library.latents().mean(dim=0))
            self._confidences[name, moment] = library, len(library), found
        return found

    def examples(self, name: str, count: int) -> list[str]:
        """Plain sentences that the motions of a library fit best, each another motion.

        Only those that the search says are a strong match, where there is any.
        """
        library = self.library(name)
        if not len(library):
            return []
        calibrated = self._calibrated(name, False)
        cosines, rows = (self._plain @ library.latents().mT).max(dim=-1)
        stands = [calibrated.stands(*pair) for pair in zip(self._plain, cosines, strict=True)]
        order = sorted(range(len(PLAIN)), key=lambda i: -stands[i])
        firsts = {int(rows[i]): PLAIN[i] for i in reversed(order)}
        apart = [i for i in order if firsts[int(rows[i])] == PLAIN[i]]
        strong = [i for i in apart if calibrated.level(self._plain[i], cosines[i]) == STRONG]
        return [PLAIN[i] for i in (strong or apart)[:count]]

    @property
    def _unrelated(self) -> Float[Tensor, "q dim"]:
        return self._fixed[: len(UNRELATED)]

    @property
    def _plain(self) -> Float[Tensor, "q dim"]:
        return self._fixed[len(UNRELATED) :]

    @cached_property
    def _fixed(self) -> Float[Tensor, "q dim"]:
        """Latents of the sentences that are the same on every start, kept beside the libraries."""
        kept = library_folder(self.model.run, self.model.ckpt, "")
        path = kept / CALIBRATION if kept else None
        texts = (*UNRELATED, *PLAIN)
        return captions_of(
            texts, self.model.dim, self._encoded, path, self.model.fingerprint
        ).latents

    def _encoded(self, texts: Sequence[str]) -> Float[Tensor, "q dim"]:
        with self.text_lock:
            return self.model.encode_texts(list(texts))

    def encode_terms(
        self, texts: Sequence[str], weights: Sequence[float | int]
    ) -> Float[Tensor, " dim"]:
        """The latent of several sentences with their weights.

        One at a time: tokenizers are not made for several threads. On one core: of one sentence,
        several make more waiting than work.
        """
        with self.text_lock:
            before = torch.get_num_threads()
            torch.set_num_threads(1)
            try:
                latents = self.model.encode_texts(list(texts)).cpu()
            finally:
                torch.set_num_threads(before)
        return combine(latents, weights)

    def find(self, motion_id: str) -> tuple[Library, str]:
        """The library of a motion that is no upload, and its key there."""
        name, _, key = motion_id.partition("/")
        return self.library(name), key

    def upload(self, motion_id: str) -> Upload | None:
        """The upload of an id, or None when the id is that of a library's motion.

        Raises:
            InputError: an upload that is no longer remembered.
        """
        name, _, key = motion_id.partition("/")
        if name != UPLOADS:
            return None
        with self.lock:
            if key not in self.uploads:
                raise InputError("this upload is no longer here; give the file again")
            return self.uploads[key]

    def add_upload(self, path: Path | str) -> str:
        """The id of the motion in a file that somebody gave.

        Raises:
            InputError: a file that cannot be read, or a motion that is too long or too large.
        """
        path = Path(path)
        features = read_upload(path)
        key = hashlib.sha256(features.tobytes()).hexdigest()[:16]
        latent = self.model.encode_motions([features], check=False)[0].cpu()
        with self.lock:
            self.uploads[key] = Upload(path.name, features, latent)
            while len(self.uploads) > REMEMBERED:
                self.uploads.popitem(last=False)
        return f"{UPLOADS}/{key}"

    def receive(self, value: object) -> str:
        """The id of the motion in an uploaded file, which is deleted once it is read.

        ``value`` is what the page sends for the file; sent again, it stands for the same motion.
        """
        if isinstance(value, dict) and value.get("path") in self.received:
            return self.received[value["path"]]
        path = uploaded_file(value, upload_folder())
        try:
            motion_id = self.add_upload(path)
        finally:
            path.unlink(missing_ok=True)
        self.received[str(path)] = motion_id
        while len(self.received) > REMEMBERED:
            self.received.popitem(last=False)
        return motion_id

    def owner(self, motion_id: str) -> tuple[Library | None, str]:
        """The library of a motion and its key there; no library for an upload."""
        if self.upload(motion_id):
            return None, motion_id.partition("/")[2]
        return self.find(motion_id)

    def span(
        self, motion_id: str, start: float | None = None, end: float | None = None
    ) -> tuple[TakeInfo, float, float]:
        """The take of a motion, and the seconds of its file that are meant.

        By default those that are shown of it.

        Raises:
            InputError: no such motion, or no such part of it.
        """
        library, key = self.owner(motion_id)
        if library is None:
            upload = self.uploads[key]
            take = TakeInfo(Path(upload.name).stem, frames=len(upload.features))
            shown = (0.0, len(upload.features) / FPS)
        else:
            entry = library.entry(key)
            take, shown = entry.take, (float(entry.start), float(entry.end))
        begin = shown[0] if start is None else start
        finish = shown[1] if end is None else end
        length = max(take.frames / take.fps, shown[1])
        given = start is not None or end is not None
        if given and not (0 <= begin <= finish - 1 / FPS and begin < length):
            raise InputError(
                f"found the seconds {begin:g} to {finish:g}, expected a part of 0 to {length:.2f}"
            )
        return take, begin, min(finish, length)

    def features(
        self, motion_id: str, start: float | None = None, end: float | None = None
    ) -> Float[np.ndarray, "frames 263"]:
        """Unnormalized features of a part of a motion, by default of all that is shown of it."""
        _, begin, finish = self.span(motion_id, start, end)
        library, key = self.owner(motion_id)
        if library is None:
            features = self.uploads[key].features
            first = min(round(begin * FPS), len(features) - 1)
            return features[first : max(round(finish * FPS), first + 1)]
        return library.features(key, begin, finish)

    def joints(
        self, motion_id: str, start: float | None = None, end: float | None = None
    ) -> Float[np.ndarray, "frames 22 3"]:
        """Joints of a part of a motion on the reference skeleton: at the origin, facing +Z.

        Meters, Y up, 20 frames a second.
        """
        return features_to_joints(self.features(motion_id, start, end))

    def bvh_source(self, motion_id: str) -> Path | None:
        """The BVH file that a motion was read from, where it was."""
        library, key = self.owner(motion_id)
        if library is None or not isinstance(library.source, FolderSource):
            return None
        path = library.source.path(library.entry(key).take)
        return path if path.suffix.lower() == ".bvh" else None

    def source_axes(self, motion_id: str) -> tuple[float, str]:
        """Meters to a unit, and the axis that is up, in the file that a motion was read from."""
        library, key = self.owner(motion_id)
        assert library is not None
        assert isinstance(library.source, FolderSource)
        take = library.entry(key).take
        overrides = library.source.overrides_of(take)
        path = library.source.path(take)
        reading = apart(read_motion, path, overrides, log_warnings=False).reading
        return float(reading.unit), reading.up

    def title(self, motion_id: str) -> str:
        """What a motion is called in pictures: its first caption, or the name of its file."""
        upload = self.upload(motion_id)
        if upload:
            return upload.name
        library, key = self.find(motion_id)
        captions = library.entry(key).captions
        return captions[0] if captions else key

    def latent(
        self, motion_id: str, start: float | None = None, end: float | None = None
    ) -> Float[Tensor, " dim"]:
        """Latent of a motion or of a part of it, of length 1."""
        if start is not None or end is not None:
            features = self.features(motion_id, start, end)
            if len(features) < SHORTEST * FPS:
                raise InputError(
                    f"found a part of {len(features) / FPS:g} s, expected at least {SHORTEST:g} s"
                )
            return whole_latents([features], self.model)[0]
        upload = self.upload(motion_id)
        if upload:
            return torch.nn.functional.normalize(upload.latent, dim=-1)
        library, key = self.find(motion_id)
        return library.latent(key)


def open_session(
    run_dir: Path | str,
    data: TextMotionData | None = None,
    device: str = "auto",
    ckpt: str = "last",
    folder: Path | str | None = None,
) -> Session:
    """The session of a run folder, encoded with progress bars where it has not been.

    ``data`` is the data set to search, by default that which the run was trained on; with
    ``folder``, the motion files below that are searched in its place, or the library that was made
    there before.

    Raises:
        InputError: no run folder, or something that it needs is missing; the command is named.
    """
    run_dir = Path(run_dir)
    if not run_dir.is_dir():
        raise InputError(
            f"no run folder at {run_dir}; `make quickstart` makes outputs/quickstart, "
            "or give your own as run_dir=FOLDER"
        )
    model = load(run_dir, device, ckpt)
    if folder is not None and is_library(folder):
        main = Library.open(folder, model)
    elif folder is not None:
        main = open_folder(model.run, ckpt, model, folder)
    else:
        main = open_library(model.run, ckpt, model, data or data_to_search(model.run, model.config))
        _ = main.captions  # encoded now, before the page opens
    libraries = Libraries(model, main)
    libraries.encode_moments()
    return Session(model, libraries)
