"""What people can do on the page, as calls that return a value for the results view."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from tmr.demo.confidence import WORDS
from tmr.demo.results_view import Value, card, cards, upload_card
from tmr.demo.session import UPLOADS, Session
from tmr.demo.validation import choice, is_folder, message, number, whole_number
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
from tmr.mining import k_means
from tmr.motion.conventions import Overrides
from tmr.retrieval import shown_score
from tmr.search.entry import Entry
from tmr.search.filters import quoted
from tmr.search.latent_map import latent_map
from tmr.search.library import Hit
from tmr.search.query import check_sentence

ALL_LIBRARIES = "all libraries"  # stands in the list of libraries for every one
EVERYTHING = "everything"  # stands in the list of splits for no limit
GROUPS = 8  # colors of the map
MAX_RESULTS = 100
MAX_SECONDS = 3600  # the highest least length of a result
MAX_SENTENCES = 50
MAX_LEFT_OUT = 500
Progress = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be found: how many motions, of which library and split, and how long at least."""

    library: str
    split: str = EVERYTHING
    top: int = MAX_RESULTS
    min_seconds: float = 0.0

    @staticmethod
    def checked(
        session: Session, library: object, split: object = EVERYTHING,
        top: object = MAX_RESULTS, min_seconds: object = 0.0,
    ) -> "Limits":  # fmt: skip
        """The limits that a request gives; InputError for what is none."""
        name = choice(library, "library", [*session.libraries, ALL_LIBRARIES])
        splits = () if name == ALL_LIBRARIES else session.splits(name)
        return Limits(
            name,
            choice(split, "set", [EVERYTHING, *splits]),
            whole_number(top, "results", 1, MAX_RESULTS),
            number(min_seconds, "minimum length (s)", 0, MAX_SECONDS),
        )

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
        if limits.library == ALL_LIBRARIES:
            limits = replace(limits, library=self.session.main.name)
        library = self.session.library(limits.library)
        entries = library.entries(limits.where)
        entries = [entry for entry in entries if not entry.take.mirrored] or entries
        count = min(limits.top, len(entries))
        spread = torch.linspace(0, len(entries) - 1, count).round().long()
        items = [card(limits.library, entries[row]) for row in spread.tolist()]
        note = f"{len(entries):,} motions; describe one above to find it"
        return _found(limits.library, note, items)

    def warm_up(self) -> None:
        """Load the language model: the first sentence then takes no longer than others."""
        self.session.encode("a person walks")
        self.session.confidence(self.session.main.name, 0.0)

    def search(self, text: str, limits: Limits) -> Value:
        """Motions that fit a sentence, or a query of quoted sentences with + and -."""
        latent = self.session.encode(text)
        hits = self.find(latent, limits)
        value = self._hits(f"“{text.strip()}”", hits, limits) | self._confidence(hits)
        return value | {"query": {"q": text.strip(), "library": limits.library}}

    def combine(
        self, sentences: Sequence[object], weights: Sequence[object], limits: Limits
    ) -> Value:
        """Motions that fit several sentences, each with a weight; below zero it should not fit."""
        used = [
            (check_sentence(sentence), number(weight, "weight", -1, 1))
            for sentence, weight in zip(sentences, weights, strict=True)
            if sentence != "" and weight != 0
        ]
        if not any(weight > 0 for _, weight in used):
            raise InputError("say what to look for: at least one sentence with a weight above 0")
        texts, factors = zip(*used, strict=True)
        latent = self.session.encode_terms(texts, factors)
        heading = " ".join(_term(text, weight) for text, weight in used).removeprefix("+ ")
        hits = self.find(latent, limits)
        return self._hits(heading, hits, limits) | self._confidence(hits)

    def more_like_this(self, motion_id: str, limits: Limits) -> Value:
        """Motions that resemble one of a library, or an upload; itself left out."""
        if self.session.upload(motion_id):
            return self._like_upload(motion_id, limits)
        hits = self.find(self.session.latent(motion_id), limits, [motion_id])
        return self._hits(f"Like “{self.session.title(motion_id)}”", hits, limits)

    def find_moments(self, motion_id: str, text: str, top: int = 5) -> Value:
        """Where in a motion a sentence happens: the best moments, and how it fits over time."""
        sentence = self.session.encode(text)
        features = self.session.features(motion_id)
        model = self.session.model
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
        originals = [row for row, entry in enumerate(entries) if not entry.take.mirrored]
        if originals:
            entries, latents = [entries[row] for row in originals], latents[originals]
        items = [card(library_name, entry) for entry in entries]
        groups, names = _groups(entries, latents)
        scores = None
        if text.strip():
            scores = shown_score(latents @ self.session.encode(text)).tolist()
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

    def import_folder(
        self, folder: str, progress: Progress, overrides: Overrides | None = None
    ) -> tuple[str, Value]:
        """The library of a folder of motion files: its name, and what it holds.

        ``progress`` is called with what is done and what there is to do; ``overrides`` is what the
        files do not state.
        """
        folder = folder.strip().strip("\"'")  # Windows copies a path with its quotes
        if not folder:
            raise InputError("give the folder of your motion files, such as /home/me/mocap")
        source = Path(folder).expanduser()
        if not is_folder(source):
            raise InputError("there is no such folder on this computer; check its path")
        name, _ = self.session.libraries.add(source, progress, overrides)
        return name, self.contents(name)

    def refresh(self, name: str, progress: Progress) -> Value:
        """What a library holds, once it is in step with its files."""
        self.session.libraries.refresh(name, progress)
        return self.contents(name)

    def contents(self, name: str) -> Value:
        """Motions from all over a library, and the files that were left out, with reasons."""
        value = self.browse(Limits(name))
        skipped = self.session.library(name).skipped
        left_out = [
            {"file": str(file), "reason": message(reason)} for file, reason in skipped.items()
        ]
        return value | {"left_out": left_out[:MAX_LEFT_OUT]}

    def _whole(self, motion_id: str, frames: int) -> Value:
        """The card of a motion from its first to its last frame."""
        upload = self.session.upload(motion_id)
        if upload:
            return upload_card(motion_id, upload.name, frames)
        library, key = self.session.find(motion_id)
        return card(motion_id.partition("/")[0], library.entry(key))

    def find(
        self, latent: Float[Tensor, " dim"], limits: Limits, without: Sequence[str] = ()
    ) -> list[tuple[str, Hit]]:
        """The motions that are nearest to a latent, best first, each with its library's name.

        ``without`` are the ids of motions to leave out.
        """
        names = list(self.session.libraries)
        found = []
        for name in names if limits.library == ALL_LIBRARIES else [limits.library]:
            keys = [motion.partition("/")[2] for motion in without if motion.startswith(f"{name}/")]
            hits = self.session.library(name).search(latent, **limits.arguments(), exclude=keys)
            found += [(name, hit) for hit in hits]
        return sorted(found, key=lambda pair: -pair[1].score)[: limits.top]

    def _like_upload(self, motion_id: str, limits: Limits) -> Value:
        upload = self.session.upload(motion_id)
        assert upload is not None
        value = self._hits(f"Like {upload.name}", self.find(upload.latent, limits), limits)
        value["items"].insert(0, upload_card(motion_id, upload.name, len(upload.features)))
        return value

    def _confidence(self, hits: Sequence[tuple[str, Hit]]) -> Value:
        """How sure it is that the best motion fits."""
        if not hits:
            return {}
        name, best = hits[0]
        level = self.session.confidence(name, 2 * best.score - 1)
        return {"confidence": {"level": level, "text": WORDS[level]}}

    def _hits(self, heading: str, hits: Sequence[tuple[str, Hit]], limits: Limits) -> Value:
        items = [card(name, hit.entry, hit.score) for name, hit in hits]
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
    clusters = k_means(latents, min(GROUPS, len(latents)))
    nearest = [entries[clusters.items(group)[0]] for group in range(clusters.count)]
    return clusters.members.tolist(), [e.captions[0] if e.captions else e.key for e in nearest]
