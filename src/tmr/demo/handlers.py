"""What people can do on the page, as calls that return a value for the results view."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tmr.demo.results_view import Value, card, cards, upload_card
from tmr.demo.session import UPLOADS, Session
from tmr.errors import InputError
from tmr.localization import (
    Scoring,
    Segment,
    WindowPlan,
    best_moments,
    curve,
    encode_motions,
    window_scores,
)
from tmr.retrieval import shown_score
from tmr.runs.libraries import library_folder
from tmr.search.entry import Entry
from tmr.search.filters import quoted
from tmr.search.latent_map import latent_map
from tmr.search.library import Hit, Library
from tmr.search.query import combine

EVERYTHING = "everything"  # stands in the list of splits for no limit
GROUPS = 8  # colors of the map
Progress = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be found: how many motions, of which library and split, and how long at least."""

    library: str
    split: str = EVERYTHING
    top: int = 12
    min_seconds: float = 0.0

    def arguments(self) -> dict:
        """The same as keyword arguments of ``Library.search``."""
        return {"top": int(self.top), "where": self.where}

    @property
    def where(self) -> str:
        """The same as a filter."""
        long_enough = f"length >= {float(self.min_seconds)}"
        if self.split == EVERYTHING:
            return long_enough
        return f"{long_enough} and split = {quoted(self.split)}"


@dataclass(frozen=True)
class Handlers:
    """What the page does with a session. All raise InputError for what cannot be used.

    ``plan`` and ``scoring`` say how moments are looked for.
    """

    session: Session
    plan: WindowPlan
    scoring: Scoring

    def browse(self, limits: Limits) -> Value:
        """Motions from all over a library, before anybody has asked for something."""
        library = self.session.library(limits.library)
        entries = library.entries(limits.where)
        count = min(limits.top, len(entries))
        spread = torch.linspace(0, len(entries) - 1, count).round().long()
        items = [card(limits.library, entries[row]) for row in spread.tolist()]
        note = f"{len(library.entries()):,} motions; describe one above to find it"
        return _found(limits.library, note, items)

    def warm_up(self) -> None:
        """Load the language model: the first sentence then takes no longer than others."""
        self.session.model.encode_texts(["a person walks"])

    def search(self, text: str, limits: Limits) -> Value:
        """Motions that fit a sentence, or a query of quoted sentences with + and -."""
        return self._hits(f"“{text.strip()}”", self._find(text, limits), limits)

    def combine(self, sentences: Sequence[str], weights: Sequence[float], limits: Limits) -> Value:
        """Motions that fit several sentences, each with a weight; below zero it should not fit."""
        used = [
            (sentence.strip(), weight)
            for sentence, weight in zip(sentences, weights, strict=True)
            if sentence.strip() and weight
        ]
        if not any(weight > 0 for _, weight in used):
            raise InputError("say what to look for: at least one sentence with a weight above 0")
        texts, factors = zip(*used, strict=True)
        latent = combine(self.session.model.encode_texts(list(texts)).cpu(), factors)
        heading = " ".join(_term(text, weight) for text, weight in used).removeprefix("+ ")
        return self._hits(heading, self._find(latent, limits), limits)

    def more_like_this(self, motion_id: str, limits: Limits) -> Value:
        """Motions that resemble one of a library, or an upload; itself left out."""
        if self.session.upload(motion_id):
            return self._like_upload(motion_id, limits)
        origin, key = self.session.find(motion_id)
        without = [key] if origin is self.session.library(limits.library) else []
        hits = self._find(self.session.latent(motion_id), limits, without)
        return self._hits(f"Like “{self.session.title(motion_id)}”", hits, limits)

    def search_by_file(self, path: str | Path, limits: Limits) -> Value:
        """Motions that resemble the one in a BVH file or an .npy file of joints or features."""
        return self._like_upload(self.session.add_upload(path), limits)

    def find_moments(self, motion_id: str, text: str, top: int = 5) -> Value:
        """Where in a motion a sentence happens: the best moments, and how it fits over time."""
        features = self.session.features(motion_id)
        model = self.session.model
        sentence = self.session.main.encode(text)
        normalized = model.normalizer(torch.from_numpy(features))
        windows = encode_motions(self.plan, model.network.motion_encoder, [(motion_id, normalized)])
        scores = window_scores(sentence, windows)
        fits = curve(windows, scores, self.scoring)
        moments = best_moments(windows, scores, self.scoring, int(top))
        return {
            "kind": "moments",
            "heading": f"“{text.strip()}”",
            "note": f"in “{self.session.title(motion_id)}”; best fit first, click one to see it",
            "items": [self._whole(motion_id, len(features))],
            "curve": fits.round(4).tolist(),
            "moments": [_moment(moment.segment) for moment in moments],
        }

    def sentences(self, motion_id: str, top: int = 8) -> list[dict]:
        """The captions that fit a motion best, with scores: ``{"text", "score"}``."""
        latent = self.session.latent(motion_id)
        upload = motion_id.startswith(f"{UPLOADS}/")
        library = self.session.main if upload else self.session.find(motion_id)[0]
        # An imported folder has no captions of its own.
        described = library if library.captions.texts else self.session.main
        found = described.describe(latent, top)
        return [{"text": text, "score": round(score, 4)} for score, text in found]

    def latent_map(self, library_name: str, text: str = "") -> Value:
        """A library as points, near those that they resemble.

        Their colors are eight groups of the library, or how well they fit a sentence.
        """
        library = self.session.library(library_name)
        entries, latents = library.entries(), library.latents()
        items = [card(library_name, entry) for entry in entries]
        groups, names = _groups(entries, latents)
        scores = None
        if text.strip():
            scores = shown_score(latents @ library.encode(text)).tolist()
        for row, ((x, y), item) in enumerate(zip(latent_map(latents).tolist(), items, strict=True)):
            item |= {"x": round(x, 4), "y": round(y, 4), "group": groups[row]}
            item["score"] = None if scores is None else round(scores[row], 4)
        return {
            "kind": "map",
            "heading": f"Map of {library_name}",
            "note": "motions that resemble each other lie together; click a point to play it",
            "items": items,
            "groups": names,
            "range": [min(scores), max(scores)] if scores else None,
        }

    def import_folder(self, folder: str, progress: Progress) -> Library:
        """A new library from a folder of motion files, encoded and ready to search.

        ``progress`` is called with what is done and what there is to do.
        """
        if not folder.strip():
            raise InputError("give the folder of your motion files, such as /home/me/mocap")
        source = Path(folder.strip()).expanduser()
        if not source.is_dir():
            raise InputError(f"there is no folder {source} on this computer")
        name = source.resolve().name
        if name in (UPLOADS, self.session.main.name):
            raise InputError(f"the name {name!r} is taken; rename the folder")
        model = self.session.model
        kept = library_folder(model.run, model.ckpt, f"imported/{name}")
        library = Library.of_folder(
            source, self.session.model, kept, overwrite=True, progress=progress
        )
        self.session.add_library(library)
        return library

    def _whole(self, motion_id: str, frames: int) -> Value:
        """The card of a motion from its first to its last frame."""
        upload = self.session.upload(motion_id)
        if upload:
            return upload_card(motion_id, upload.name, frames)
        library, key = self.session.find(motion_id)
        return card(motion_id.partition("/")[0], library.entry(key))

    def _find(self, query, limits: Limits, without: Sequence[str] = ()) -> list[Hit]:
        library = self.session.library(limits.library)
        return library.search(query, **limits.arguments(), exclude=without)

    def _like_upload(self, motion_id: str, limits: Limits) -> Value:
        upload = self.session.upload(motion_id)
        assert upload is not None
        value = self._hits(f"Like {upload.name}", self._find(upload.latent, limits), limits)
        value["items"].insert(0, upload_card(motion_id, upload.name, len(upload.features)))
        return value

    def _hits(self, heading: str, hits: Sequence[Hit], limits: Limits) -> Value:
        items = [card(limits.library, hit.entry, hit.score) for hit in hits]
        note = f"{len(items)} motions from {limits.library}, best first"
        return _found(heading, note, items)


def _moment(segment: Segment) -> Value:
    return {
        "start": segment.start,
        "end": segment.end,
        "score": round(segment.score, 4),
        "fit": round(segment.fit, 4),
    }


def _found(heading: str, note: str, items: Sequence[Value]) -> Value:
    if not items:
        return cards("Nothing found", "No motion lasts that long; lower the shortest length.", [])
    return cards(heading, note, items)


def _term(text: str, weight: float) -> str:
    sign = "+" if weight > 0 else "−"  # noqa: RUF001
    return f"{sign} “{text}”" if abs(weight) == 1 else f"{sign} {abs(weight):g} “{text}”"


def _groups(
    entries: Sequence[Entry], latents: Float[Tensor, "n dim"]
) -> tuple[list[int], list[str]]:
    """The group of each motion by k-means, and as its name the caption nearest to its middle."""
    from scipy.cluster.vq import kmeans2  # noqa: PLC0415  the page must not wait for it

    points = latents.numpy().astype(np.float64)
    count = min(GROUPS, len(points))
    middles, members = kmeans2(points, count, minit="++", rng=0)
    nearest = [
        int(np.linalg.norm(np.where((members == g)[:, None], points, np.inf) - m, axis=1).argmin())
        for g, m in enumerate(middles)
    ]
    items = [entries[row] for row in nearest]
    return members.tolist(), [item.captions[0] if item.captions else item.key for item in items]
