"""A motion library: takes and their windows with latents, searched by texts, motions, or both.

A library is kept in step with its source, a folder of motion files or a data set: what is new or
changed is encoded, what is gone is removed. Its rows lie in one of two stores
(:mod:`tmr.search.stores`); everything else is the same for both.
"""

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from html import escape
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tmr.data import TextMotionData
from tmr.errors import InputError, strings, whole_number
from tmr.localization.windows import SHORTEST
from tmr.motion.conventions import Overrides
from tmr.motion.features import features_to_joints, joints_to_features
from tmr.motion.skeleton import FPS
from tmr.motion.writers import Animation
from tmr.retrieval.metrics import shown_score
from tmr.search.captions import FILE as CAPTIONS_FILE
from tmr.search.captions import Captions, captions_of
from tmr.search.encoder import Encoder
from tmr.search.entry import Entry, TakeInfo
from tmr.search.filters import ORIGINALS, WHOLE_TAKES, Filter, Not, all_of, keys, parse_filter
from tmr.search.moments import Moment, merge_windows
from tmr.search.query import combine, parse_query
from tmr.search.reading import Skipped, read_motions
from tmr.search.rows import Encoded, encode_motions, whole_latents
from tmr.search.sources import (
    DataSource,
    Features,
    FolderSource,
    Listed,
    Motion,
    Source,
    is_current,
    is_unchanged,
    part_of,
)
from tmr.search.stores import Found, Header, Store
from tmr.search.stores.factory import create_store, is_remote, open_store, outgrown

log = logging.getLogger(__name__)

# While a library is made or grows: an interruption loses at most a sixteenth of all its work, and
# a large library in memory, which is written whole each time, is not written for every few takes.
SAVES = 16
WINDOWS_PER_MOMENT = 16  # candidates: neighbors of a window score alike
SHOWN_PROBLEMS = 5
SHOWN_TAKES = 4  # in a notebook

Progress = Callable[[int, int], object]  # called with the motions done and all to do
Query = str | np.ndarray | Tensor


def unseen(done: int, total: int) -> None:
    """No progress shown."""


@dataclass(frozen=True, slots=True)
class Hit:
    """An entry that was found, with its score (1 + cosine) / 2."""

    score: float
    entry: Entry


class Library:
    """Motions encoded by a model and ready to be searched.

    Made by :meth:`of_folder`, :meth:`of_data` or :meth:`open`. ``skipped`` has the files of the
    last refresh that cannot be used, with reasons. May be searched while another thread adds.
    """

    def __init__(
        self,
        encoder: Encoder,
        store: Store,
        source: Source | None = None,
        path: str | Path | None = None,
        kind: str = "auto",
    ) -> None:
        self.encoder = encoder
        self.store = store
        self.kind = kind
        self.source = source
        self.path = path
        self.skipped: Skipped = {}
        self._captions: tuple[int, Captions] | None = None

    @staticmethod
    def of_folder(
        folder: Path | str,
        encoder: Encoder,
        path: Path | str | None = None,
        *,
        store: str = "auto",
        windows: Sequence[float | int] = (),
        overrides: Overrides | None = None,
        overwrite: bool = False,
        refresh: bool = True,
        progress: Progress = unseen,
    ) -> "Library":
        """The library of the motion files below a folder, or of one file.

        ``path`` keeps it, a folder or ``s3://...``; without, it lives in memory. What lies there
        is brought up to date, unless ``refresh`` is false. ``windows`` are lengths in seconds:
        takes are also cut into windows of them, at half-overlap, for :meth:`moments`. With
        ``overwrite``, a library there of another model or without these windows is made again.

        Raises:
            InputError: no such folder, no file in it that can be read, or a library at ``path``
                of another model or without these windows.
        """
        source = FolderSource.at(folder, overrides)
        header = header_of(source, encoder, windows)
        library = library_at(path, header, encoder, source, store, overwrite)
        if refresh:
            library.refresh(progress)
        return library

    @staticmethod
    def of_data(
        data: TextMotionData,
        encoder: Encoder,
        path: Path | str | None = None,
        *,
        splits: Sequence[str] = (),
        store: str = "auto",
        windows: Sequence[float | int] = (),
        overwrite: bool = False,
        refresh: bool = True,
        progress: Progress = unseen,
    ) -> "Library":
        """The library of a data set, as :meth:`of_folder`.

        ``splits`` limits what is encoded now; what was before can still be searched.

        Raises:
            InputError: no motion with features and a caption, no such split, or a library at
                ``path`` as above.
        """
        source = DataSource(data, tuple(splits))
        header = header_of(source, encoder, windows)
        library = library_at(path, header, encoder, source, store, overwrite)
        if refresh:
            library.refresh(progress)
        return library

    @staticmethod
    def open(path: Path | str, encoder: Encoder) -> "Library":
        """The library at a path, as it was saved.

        Raises:
            InputError: there is none, it is damaged, or another model made it.
        """
        store = open_store(path)
        if store is None:
            raise InputError(f"no library at {path}; make one with search.py folder=FOLDER")
        _check_model(store.header, encoder, path)
        return Library(encoder, store, source_of(store.header), path)

    def save(self, path: Path | str, store: str = "auto") -> "Library":
        """A copy of the library at another path, by default in the kind of store that fits.

        Raises:
            InputError: there is a library at ``path``, or Lance is needed and not installed.
        """
        if not str(path).strip():
            raise InputError("expected a path to save the library at, found none")
        if open_store(path) is not None:
            raise InputError(f"there is a library at {path}; give another path")
        copy = create_store(self.store.header, path, store, len(self))
        for entries, latents in self.store.scan():
            copy.replace([], entries, latents)
        return Library(self.encoder, copy, self.source, path)

    @property
    def name(self) -> str:
        """Name of the library: of its folder or data set."""
        return self.store.header.name

    @property
    def windows(self) -> tuple[float | int, ...]:
        """Lengths in seconds of the windows that takes are cut into."""
        return self.store.header.windows

    def __len__(self) -> int:
        """Number of rows, windows included."""
        return len(self.store)

    @property
    def takes(self) -> int:
        """Number of whole takes, mirrored copies left out."""
        return self.store.count(self._filter("", whole=True, mirrored=False))

    def __repr__(self) -> str:
        place = "in memory" if self.path is None else f"at {self.path}"
        return f"Library({self.name!r}, {len(self):,} rows {place}, model {self.encoder.name!r})"

    def _repr_html_(self) -> str:
        """The line of ``repr``, and the first takes as moving figures, as far as they are here."""
        figures = []
        for entry in self.entries()[:SHOWN_TAKES]:
            with suppress(InputError):
                caption = f"<figcaption>{escape(entry.key)}</figcaption>"
                figures.append(f"<figure>{self.animate(entry.key).svg()}{caption}</figure>")
        shown = "".join(figures)
        return f'<p>{escape(repr(self))}</p><div style="display: flex">{shown}</div>'

    def entries(self, where: str = "") -> list[Entry]:
        """The whole takes that pass a filter."""
        return self.store.entries(self._filter(where, whole=True, mirrored=True))

    def latents(self, where: str = "") -> Float[Tensor, "n dim"]:
        """The latents of :meth:`entries`, of length 1."""
        parts = self.store.scan(self._filter(where, whole=True, mirrored=True))
        found = [latents for _, latents in parts]
        return torch.cat(found) if found else torch.empty(0, self.store.header.dim)

    @property
    def splits(self) -> list[str]:
        """The splits that any take is in."""
        return sorted(self.store.values("split"))

    @property
    def tags(self) -> list[str]:
        """The tags that any take has."""
        return sorted(self.store.values("tag"))

    def entry(self, key: str) -> Entry:
        """The whole take of a key; InputError when there is none."""
        found = self.store.entries(all_of(keys([key]), WHOLE_TAKES))
        if not found:
            raise InputError(f"no motion {key!r} in the library {self.name!r}")
        return found[0]

    def latent(self, key: str) -> Float[Tensor, " dim"]:
        """The latent of a whole take, of length 1; InputError when there is none."""
        for _, latents in self.store.scan(all_of(keys([key]), WHOLE_TAKES)):
            return latents[0]
        raise InputError(f"no motion {key!r} in the library {self.name!r}")

    def features(
        self, key: str, start: float | int | None = None, end: float | int | None = None
    ) -> Features:
        """Unnormalized features of a take between two times in seconds, read from its file.

        By default those that its row stands for.

        Raises:
            InputError: no such take, no file of it, one that cannot be used, or one that has
                changed since it was encoded.
        """
        entry = self.entry(key)
        if not entry.file or self.source is None:
            raise InputError(f"the poses of {key!r} are not kept in the library {self.name!r}")
        given = Overrides()
        if isinstance(self.source, FolderSource):
            given = self.source.overrides_of(entry.take)
        motion = self.source.read(Listed(entry.take, overrides=given))
        path = self.source.path(entry.take)
        if entry.take.stamp and not is_unchanged(path, entry.take.stamp):
            raise InputError(
                f"{path} has changed since it was encoded: refresh the library {self.name!r}"
            )
        begin = entry.start if start is None else start
        stop = entry.end if end is None else end
        seconds = len(motion.features) / FPS
        given_part = start is not None or end is not None
        if given_part and not 0 <= begin < min(stop, seconds):
            raise InputError(
                f"{key} lasts {seconds:g} s; there is nothing from start={begin!r} to end={stop!r}"
            )
        return part_of(motion.features, (begin, stop))

    def joints(
        self, key: str, start: float | int | None = None, end: float | int | None = None
    ) -> Float[np.ndarray, "frames 22 3"]:
        """Joints of a take on the reference skeleton: meters, Y up, 20 frames a second."""
        return features_to_joints(self.features(key, start, end))

    def animate(
        self, key: str, start: float | int | None = None, end: float | int | None = None
    ) -> Animation:
        """A take, or a part of it in seconds, that moves where a notebook shows it."""
        return Animation(self.joints(key, start, end))

    def encode(self, query: str) -> Float[Tensor, " dim"]:
        """The latent of a sentence, or of a query such as ``"walk" + 0.5 "angry" - "turn"``.

        Raises:
            InputError: the query cannot be read (see :func:`tmr.search.query.parse_query`).
        """
        terms = parse_query(query)
        latents = self.encoder.encode_texts([term.text for term in terms]).cpu()
        return combine(latents, [term.weight for term in terms])

    def search(
        self,
        query: Query,
        top: int = 10,
        where: str = "",
        *,
        mirrored: bool = False,
        exclude: Iterable[str] = (),
    ) -> list[Hit]:
        """The whole takes nearest to a sentence or query, a motion (array), or a latent.

        ``where`` is a filter such as ``length > 2 and tag = 'walk'`` (:mod:`tmr.search.filters`),
        ``mirrored`` finds mirrored copies too, ``exclude`` names keys to leave out.

        Raises:
            InputError: a query, motion, number or filter that cannot be used.
        """
        wanted = self._filter(where, whole=True, mirrored=mirrored, exclude=exclude)
        return [Hit(score, entry) for score, entry in self._find(query, top, wanted)]

    def more_like(
        self, key: str, top: int = 10, where: str = "", *, mirrored: bool = False
    ) -> list[Hit]:
        """The whole takes nearest to one of the library, itself left out."""
        return self.search(self.latent(key), top, where, mirrored=mirrored, exclude=[key])

    def moments(
        self,
        query: Query,
        top: int = 10,
        where: str = "",
        *,
        seconds: float | int | None = None,
        mirrored: bool = False,
        exclude: Iterable[str] = (),
    ) -> list[Moment]:
        """Where in the takes a sentence, a motion or a latent is found, best first.

        Windows of ``seconds``, or of all lengths, are ranked, and neighbors merged.

        Raises:
            InputError: as :meth:`search`, or the library has no windows of this length.
        """
        if seconds is not None and not isinstance(seconds, int | float):
            raise InputError(f"seconds={seconds!r}: expected a number")
        if not self.windows or (seconds is not None and seconds not in self.windows):
            lengths = ", ".join(f"{length:g}" for length in self.windows) or "none"
            raise InputError(
                f"the library {self.name!r} has windows of {lengths} seconds; make one with "
                f"windows={seconds or 2.0:g}"
            )
        wanted = self._filter(where, whole=False, mirrored=mirrored, exclude=exclude)
        if seconds is not None:
            wanted = all_of(parse_filter(f"window = {seconds}"), wanted)
        return merge_windows(self._find(query, top * WINDOWS_PER_MOMENT, wanted), top)

    def best_cosines(
        self, queries: Float[Tensor, "q dim"], *, windows: bool = False
    ) -> Float[Tensor, " q"]:
        """The cosine of each query, of length 1, and its best take or window; there must be one."""
        return self.store.best(queries, self._filter("", whole=not windows, mirrored=True))

    @property
    def captions(self) -> Captions:
        """Every different caption of the takes, encoded at the first use."""
        version = self.store.version
        if self._captions is None or self._captions[0] != version:
            self._captions = version, self._encode_captions()
        return self._captions[1]

    def _encode_captions(self) -> Captions:
        texts = dict.fromkeys(text for entry in self.entries() for text in entry.captions)
        path = self.path if isinstance(self.path, Path) and self.path.is_dir() else None
        prepared = None
        if self.source is not None:
            prepared = self.source.embeddings(self.encoder.text_model)
        return captions_of(
            list(texts),
            self.store.header.dim,
            partial(self.encoder.encode_texts, embeddings=prepared),
            path and path / CAPTIONS_FILE,
            self.encoder.fingerprint,
        )

    def describe(self, motion: Query, top: int = 10) -> list[tuple[float, str]]:
        """The captions that fit a motion best, with scores: a key, an array, or a latent."""
        latent = self.latent(motion) if isinstance(motion, str) else self._latent(motion)
        return self.captions.nearest(latent, top)

    def add(
        self,
        motions: Mapping[str, np.ndarray] | Sequence[Path | str],
        captions: Mapping[str, Sequence[str]] | None = None,
        tags: Sequence[str] = (),
    ) -> None:
        """Add motions: arrays by key (features or joints), or files; equal keys are replaced.

        A file's key is its path in the library's folder, or else the whole path, without suffix.
        ``captions`` are by key; ``tags`` go to all.

        Raises:
            InputError: a motion or file that cannot be used; then none is added.
        """
        if isinstance(motions, str | Path):
            motions = [motions]
        if not isinstance(motions, Iterable) or not isinstance(captions or {}, Mapping):
            raise InputError(
                "expected arrays by key or a list of files, and captions as a mapping of keys to "
                f"lists; found {motions!r} and {captions!r}"
            )
        read = _arrays(motions) if isinstance(motions, Mapping) else self._files(motions)
        described, tags = captions or {}, strings("tags", tags)
        read = [
            _described(m, strings("captions", described.get(m.take.key, ())), tags) for m in read
        ]
        for part in encode_motions(read, self.encoder, self.windows):
            self._replace(part)

    def remove(self, keys: Sequence[str]) -> None:
        """Remove the takes of these keys; keys that the library has not are passed over."""
        self.store.replace(strings("keys", keys), [], torch.empty(0, self.store.header.dim))

    def refresh(self, progress: Progress = unseen) -> int:
        """Encode what is new or changed in the source, remove what is gone; how many were encoded.

        Raises:
            InputError: the source is gone, or nothing in it can be used.
        """
        if self.source is None:
            raise InputError(
                f"the source of the library {self.name!r} is not known here; make the library "
                "from its folder or data set"
            )
        listed = {some.take.key: some for some in self.source.list()}
        held = self.held()
        stale, new = changes(self.source, listed, held)
        if stale:
            self.remove(stale)
        self.skipped = {}
        done = 0
        for part in self._encoded(new, max(len(new), len(held)) / SAVES, progress):
            done += len({entry.key for entry in part.entries})
            self._replace(part)
        self._report_skipped()
        if self.kind == "auto":
            self.store = outgrown(self.store, self.path)
        return done

    def held(self) -> dict[str, TakeInfo]:
        """What is known of each take, by key."""
        return {entry.key: entry.take for entry in self.entries()}

    def _encoded(
        self, listed: Sequence[Listed], least: float, progress: Progress
    ) -> Iterator[Encoded]:
        """The rows of motions, in parts of ``least`` takes or more, which are to be saved."""
        source = self.source
        assert source is not None
        read = 0

        def reported() -> Iterator[Motion]:
            # Parts are encoded together: an import would seem to stand still for minutes.
            nonlocal read
            for read, motion in enumerate(read_motions(source, listed, self.skipped), start=1):
                yield motion
                progress(read + len(self.skipped), len(listed))
            if self.skipped:
                progress(read + len(self.skipped), len(listed))

        progress(0, len(listed))  # the first file takes seconds: processes start
        entries, latents, done, saved = [], [], 0, 0
        for part in encode_motions(reported(), self.encoder, self.windows):
            entries += part.entries
            latents.append(part.latents)
            done += len({entry.key for entry in part.entries})
            if done - saved >= least:
                yield Encoded(entries, torch.cat(latents))
                entries, latents, saved = [], [], done
        if entries:
            yield Encoded(entries, torch.cat(latents))

    def _replace(self, part: Encoded) -> None:
        self.store.replace({entry.key for entry in part.entries}, part.entries, part.latents)

    def _files(self, files: Sequence[Path | str]) -> list[Motion]:
        folder = self.source.folder if isinstance(self.source, FolderSource) else Path()
        source = self.source if isinstance(self.source, FolderSource) else FolderSource(folder)
        found = []
        for path in map(Path, files):
            inside = path.resolve().is_relative_to(folder.resolve()) and folder != Path()
            relative = path.resolve().relative_to(folder.resolve()) if inside else path.resolve()
            if not path.is_file():
                raise InputError(f"no motion file {path}")
            found.append(source.read(source.listed(relative.as_posix())))
        return found

    def _report_skipped(self) -> None:
        for file, reason in list(self.skipped.items())[:SHOWN_PROBLEMS]:
            log.warning("%s: skipped, %s", file, reason)
        if len(self.skipped) > SHOWN_PROBLEMS:
            log.warning("%d files in all cannot be used", len(self.skipped))
        if self.skipped and not len(self):
            file, reason = next(iter(self.skipped.items()))
            raise InputError(
                f"no file of {self.name!r} can be used, {len(self.skipped)} skipped; "
                f"the first: {file}: {reason}"
            )

    def _filter(
        self, where: str, whole: bool, mirrored: bool, exclude: Iterable[str] = ()
    ) -> Filter | None:
        excluded = strings("exclude", exclude)
        windowed = bool(self.windows)
        return all_of(
            parse_filter(where),
            None if not windowed else WHOLE_TAKES if whole else Not(WHOLE_TAKES),
            None if mirrored else ORIGINALS,
            Not(keys(excluded)) if excluded else None,
        )

    def _find(self, query: Query, top: int, where: Filter | None) -> list[Found]:
        found = self.store.search(self._latent(query), whole_number("top", top), where)
        scores = shown_score(torch.tensor([cosine for cosine, _ in found])).tolist()
        return [(score, entry) for score, (_, entry) in zip(scores, found, strict=True)]

    def _latent(self, query: Query) -> Float[Tensor, " dim"]:
        if isinstance(query, np.ndarray) and query.ndim > 1:
            return whole_latents([_features_of(query)], self.encoder)[0]
        if not isinstance(query, np.ndarray | Tensor):
            return self.encode(query)
        latent = torch.as_tensor(query).detach().float().cpu()
        if latent.shape != (self.store.header.dim,) or not 0 < float(latent.norm()) < math.inf:
            raise InputError(
                f"found a latent of shape {tuple(latent.shape)}, expected "
                f"({self.store.header.dim},), finite and not zero"
            )
        return latent


def header_of(source: Source, encoder: Encoder, windows: Sequence[float | int]) -> Header:
    """The header of a source's library."""
    if not isinstance(encoder, Encoder):
        raise InputError(f"expected a model such as that of tmr.load, found {encoder!r}")
    listed = [windows] if isinstance(windows, int | float) else list(windows)
    if not all(isinstance(s, int | float) and SHORTEST <= s < math.inf for s in listed):
        raise InputError(f"windows={windows!r}: expected lengths of at least {SHORTEST} seconds")
    lengths = tuple(sorted({float(seconds) for seconds in listed}))
    return Header(
        source.name, encoder.name, encoder.fingerprint, encoder.dim, source.describe(), lengths
    )


def library_at(
    path: Path | str | None,
    header: Header,
    encoder: Encoder,
    source: Source,
    store: str = "auto",
    overwrite: bool = False,
) -> Library:
    """The library at ``path`` if there is one that fits, else an empty one there.

    Raises:
        InputError: one of another model, another source, or without these windows.
    """
    path = path if path is None or is_remote(path) else Path(path)
    found = None if path is None else open_store(path)
    refused = False
    if found is not None and path is not None:
        try:
            _check_model(found.header, encoder, path)
            _check_contents(found.header, header, path)
        except InputError as error:
            if not overwrite:
                raise
            log.info("%s: made again", error)
            lengths = {*header.windows, *found.header.windows}  # or two calls would take turns
            header = replace(header, windows=tuple(sorted(lengths)))
            found, refused = None, True
    if found is None:
        found = create_store(header, path, store, replace=refused)
        _check_contents(found.header, header, path or "")  # of a process that was faster
    return Library(encoder, found, source, path, store)


def _check_model(header: Header, encoder: Encoder, path: Path | str) -> None:
    if header.fingerprint != encoder.fingerprint:
        raise InputError(
            f"the library at {path} was made by the model {header.model!r}, not by these weights "
            f"of {encoder.name!r}; use that model, or make a library of your own at another path"
        )


def _check_contents(found: Header, expected: Header, path: Path | str) -> None:
    if found.source != expected.source:
        raise InputError(
            f"the library at {path} is that of {found.source}, not of {expected.source}; "
            "give another path"
        )
    if not set(expected.windows) <= set(found.windows):
        raise InputError(
            f"the library at {path} has windows of {list(found.windows)} seconds, not "
            f"{list(expected.windows)}; give another path"
        )


def source_of(header: Header) -> FolderSource | None:
    """The folder that a library was made from, if it is here."""
    source = header.source
    if source.get("kind") != "folder" or not Path(source["path"]).is_dir():
        return None
    return FolderSource(Path(source["path"]), Overrides(**source["overrides"]), source["only"])


def changes(
    source: Source,
    listed: Mapping[str, Listed],
    held: Mapping[str, TakeInfo],
    among: Callable[[str], bool] = lambda _: True,
) -> tuple[list[str], list[Listed]]:
    """Keys of takes that are gone or changed, and the motions that are to be encoded.

    ``among`` limits to some keys.
    """
    stale = []
    for key, take in held.items():
        if not among(key):
            continue
        gone = key not in listed and take.file and not Path(take.file).is_absolute()
        if gone or (key in listed and not is_current(source, take.stamp, listed[key])):
            stale.append(key)
    dropped = set(stale)
    new = [
        some
        for key, some in listed.items()
        if source.wants(some.take) and (key not in held or key in dropped)
    ]
    return stale, new


def _arrays(motions: Mapping[str, np.ndarray]) -> list[Motion]:
    strings("keys", motions)
    found = []
    for key, array in motions.items():
        try:
            features = _features_of(array)
        except InputError as error:
            raise InputError(f"motion {key!r}: {error}") from None
        found.append(Motion(TakeInfo(key, frames=len(features)), features))
    return found


def _features_of(motion: np.ndarray) -> Features:
    return joints_to_features(motion) if motion.ndim == 3 else motion.astype(np.float32)


def _described(motion: Motion, captions: Sequence[str], tags: Sequence[str]) -> Motion:
    take = replace(motion.take, captions=tuple(captions), tags=tuple(tags))
    return replace(motion, take=take)
