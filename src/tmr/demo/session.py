"""The motions behind the page: its libraries, and what people uploaded."""

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tmr.api import Model, load
from tmr.data import TextMotionData
from tmr.errors import InputError
from tmr.motion.features import features_to_joints
from tmr.motion.read import READERS, read_features
from tmr.motion.skeleton import FPS
from tmr.runs.build import data_of
from tmr.runs.libraries import open_library
from tmr.search.library import Library

UPLOADS = "uploads"  # stands where the name of a library stands in the id of an uploaded motion
REMEMBERED = 200  # uploads; the oldest are forgotten first
LONGEST = 15 * 60  # seconds of an uploaded motion
SUFFIXES = tuple(READERS)


@dataclass(frozen=True, slots=True)
class Upload:
    """A motion that somebody gave: its file name, its features (T, 263), and its latent."""

    name: str
    features: Float[np.ndarray, "frames 263"]
    latent: Float[Tensor, " dim"]


@dataclass
class Session:
    """Motions by their id, ``LIBRARY/KEY``, where the library may be ``uploads``.

    ``main`` is the library that the page starts with; those that people import stand beside it.
    Methods may be called from several threads.
    """

    model: Model
    main: Library
    libraries: dict[str, Library] = field(init=False)
    uploads: OrderedDict[str, Upload] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.libraries = {self.main.name: self.main}

    def library(self, name: str) -> Library:
        """The library of a name; InputError when there is none."""
        if name not in self.libraries:
            raise InputError(f"no library {name!r}; there is {', '.join(self.libraries)}")
        return self.libraries[name]

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
        """The id of the motion in a file: BVH, joints (T, 22, 3) or features (T, 263) as .npy.

        Raises:
            InputError: a file that cannot be read, or a motion of more than 15 minutes.
        """
        path = Path(path)
        features = read_features_of(path)
        key = hashlib.sha256(features.tobytes()).hexdigest()[:16]
        latent = self.model.encode_motions([features])[0].cpu()
        with self.lock:
            self.uploads[key] = Upload(path.name, features, latent)
            while len(self.uploads) > REMEMBERED:
                self.uploads.popitem(last=False)
        return f"{UPLOADS}/{key}"

    def add_library(self, library: Library) -> None:
        """Put an imported library on the page; one of the same name is replaced."""
        with self.lock:
            self.libraries[library.name] = library

    def features(self, motion_id: str) -> Float[np.ndarray, "frames 263"]:
        """Unnormalized features of a motion."""
        upload = self.upload(motion_id)
        if upload:
            return upload.features
        library, key = self.find(motion_id)
        return library.features(key)

    def joints(self, motion_id: str) -> Float[np.ndarray, "frames 22 3"]:
        """Joints of a motion on the reference skeleton: it starts at the origin, facing +Z.

        Meters, Y up, 20 frames a second.
        """
        return features_to_joints(self.features(motion_id))

    def title(self, motion_id: str) -> str:
        """What a motion is called in pictures: its first caption, or the name of its file."""
        upload = self.upload(motion_id)
        if upload:
            return upload.name
        library, key = self.find(motion_id)
        captions = library.entry(key).captions
        return captions[0] if captions else key

    def latent(self, motion_id: str) -> Float[Tensor, " dim"]:
        """Latent of a motion, of length 1."""
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
) -> Session:
    """The session of a run folder, encoded with progress bars where it has not been.

    ``data`` is the data set to search, by default that which the run was trained on.

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
    main = open_library(model.run, ckpt, model, data or data_of(model.config))
    _ = main.captions  # encoded now, before the page opens
    return Session(model, main)


def read_features_of(path: Path) -> Float[np.ndarray, "frames 263"]:
    """Unnormalized float32 features of the motion in a file; InputError names the file.

    Features themselves are taken as they are, every other motion is read as in an import.
    """
    try:
        features = read_features(path)
        if len(features) > LONGEST * FPS:
            raise InputError(
                f"{len(features) / FPS:.0f} seconds long; at most {LONGEST} can be searched by"
            )
        return features
    except InputError as error:
        reason = str(error).removeprefix(f"{path}: ")
        raise InputError(f"{path.name}: {reason}") from None
