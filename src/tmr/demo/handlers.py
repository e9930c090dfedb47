"""What people can do on the page, as calls that return a value for the results view."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from tmr.demo.confidence import WORDS, Level
from tmr.demo.results_view import Value, card, cards, upload_card
from tmr.demo.session import UPLOADS, Session
from tmr.demo.validation import (
    choice,
    is_folder,
    message,
    number,
    text_of,
    whole_number,
)
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
from tmr.motion.overrides_table import TABLE, give_overrides
from tmr.retrieval import shown_score
from tmr.search.entry import Entry
from tmr.search.filters import quoted
from tmr.search.latent_map import latent_map
from tmr.search.library import Hit, Library
from tmr.search.query import check_sentence, parse_query
from tmr.search.sources import FolderSource

ALL_LIBRARIES = "all libraries"  # stands in the list of libraries for every one
EVERYTHING = "everything"  # stands in the list of splits for no limit
ALL, TAKES, MOMENTS = SHOWN = ("all", "takes", "moments")
GROUPS = 8  # colors of the map
MAX_RESULTS = 100
MAX_SECONDS = 3600  # the highest least length of a result
MAX_SENTENCES = 50
MAX_LEFT_OUT = 500
MOST_OF_A_TAKE = 0.8  # a moment that is as long says no more than the take
EXAMPLES = 5
FRAGMENT = re.compile(r"#t=(\d+(?:\.\d+)?),(\d+(?:\.\d+)?)$")
QUOTES = re.compile('["“”„«»]')
Progress = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be found: how many motions, of which library and split, and how long takes are.

    ``name`` is part of the name or folder of a take, ``tag`` one that it was given, and ``show``
    one of ``SHOWN``.
    """

    library: str
    split: str = EVERYTHING
    top: int = MAX_RESULTS
    min_seconds: float = 0.0
    max_seconds: float = MAX_SECONDS
    name: str = ""
    tag: str = ""
    show: str = ALL

    @staticmethod
    def checked(
        session: Session, library: object, split: object = EVERYTHING,
        top: object = MAX_RESULTS, min_seconds: object = 0.0, max_seconds: object = MAX_SECONDS,
        name: object = "", tag: object = "", show: object = ALL,
    ) -> "Limits":  # fmt: skip
        """The limits that a request gives; InputError for what is none."""
        where = choice(library, "library", [*session.libraries, ALL_LIBRARIES])
        splits = () if where == ALL_LIBRARIES else session.splits(where)
        return Limits(
            where,
            choice(split, "set", [EVERYTHING, *splits]),
            whole_number(top, "results", 1, MAX_RESULTS),
            number(min_seconds, "minimum length (s)", 0, MAX_SECONDS),
            number(max_seconds, "maximum length (s)", 0, MAX_SECONDS),
            text_of(name, "name or folder").strip(),
            text_of(tag, "tag").strip().lower(),
            choice(show, "find", SHOWN),
        )

    @property
    def where(self) -> str:
        """The same as a filter, but for the tag and the length of takes."""
        parts = []
        if self.split != EVERYTHING:
            parts.append(f"split = {quoted(self.split)}")
        for word in self.name.split():
            # Filters tell capital letters apart; people do not.
            forms = {word, word.lower(), word.upper(), word.capitalize()}
            named = [f"contains({field}, {quoted(form)})"
                     for field in ("key", "file") for form in sorted(forms)]  # fmt: skip
            parts.append(f"({' or '.join(named)})")
        return " and ".join(parts)

    @property
    def of_takes(self) -> str:
        """The filter of whole takes: with their length."""
        lengths = [f"length >= {self.min_seconds}"] if self.min_seconds else []
        if self.max_seconds < MAX_SECONDS:
            lengths.append(f"length <= {self.max_seconds}")
        return " and ".join(filter(None, (*lengths, self.where)))


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
        where = self._tagged(library, limits, limits.of_takes)
        entries = [] if where is None else library.entries(where)
        entries = [entry for entry in entries if not entry.take.mirrored] or entries
        count = min(limits.top, len(entries))
        spread = torch.linspace(0, len(entries) - 1, count).round().long()
        items = [self._card(limits.library, entries[row]) for row in spread.tolist()]
        note = f"{len(entries):,} motions; describe one above to find it"
        return _found(limits.library, note, items) | _asked(limits)

    def warm_up(self) -> None:
        """Load the language model: the first sentence then takes no longer than others."""
        latent = self.session.encode("a person walks")
        self.session.confidence(self.session.main.name, latent, 0.0)

    def search(self, text: str, limits: Limits) -> Value:
        """Motions that fit a sentence, or a query of quoted sentences with + and -."""
        latent = self.session.encode(text)
        hits = self.find(latent, limits)
        heading = f"“{text.strip()}”" if len(parse_query(text)) == 1 else text.strip()
        value = self._hits(heading, hits, limits) | self._confidence(latent, hits)
        return value | _asked(limits, q=text.strip())

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
        value = self._hits(heading, hits, limits) | self._confidence(latent, hits)
        return value | _asked(limits, q=heading)

    def more_like_this(self, motion: str, limits: Limits) -> Value:
        """Motions that resemble one of a library, or an upload; itself left out.

        Only seconds ``start`` to ``end`` of its file count where the id ends in ``#t=start,end``,
        a media fragment.
        """
        motion_id, start, end = _part(motion)
        heading = f"Like “{self.session.title(motion_id)}”"
        if start is not None:
            heading += f", {start:.1f} to {end:.1f} s"
        hits = self.find(self.session.latent(motion_id, start, end), limits, [motion_id])
        value = self._hits(heading, hits, limits)
        upload = self.session.upload(motion_id)
        if upload:
            value["items"].insert(0, upload_card(motion_id, upload.name, len(upload.features)))
        return value | _asked(limits, like=motion)

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
        if library_name == ALL_LIBRARIES:
            raise InputError("a map shows one library: choose which in the list of libraries")
        library = self.session.library(library_name)
        if not len(library):
            raise InputError(f"{library_name} has no motion yet: there is nothing to draw")
        entries, latents = library.entries(), library.latents()
        originals = [row for row, entry in enumerate(entries) if not entry.take.mirrored]
        if originals:
            entries, latents = [entries[row] for row in originals], latents[originals]
        items = [self._card(library_name, entry) for entry in entries]
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

    def retry(
        self, name: str, files: Sequence[str], overrides: Overrides, progress: Progress
    ) -> Value:
        """What a folder's library holds once files of it are read with what is given about them.

        That goes into the ``overrides.csv`` of the folder, which every command reads.
        """
        library = self.session.library(name)
        source = library.source
        if not isinstance(source, FolderSource) or source.only:
            raise InputError(f"{name} is not made from a folder of motion files")
        if not {*files} <= {*map(str, library.skipped)}:
            raise InputError("these files are no longer left out; refresh the library")
        give_overrides(source.folder / TABLE, files, overrides)
        return self.refresh(name, progress)

    def contents(self, name: str) -> Value:
        """Motions from all over a library, and the files that were left out, with reasons."""
        library = self.session.library(name)
        skipped = library.skipped
        if len(library):
            value = self.browse(Limits(name))
        else:
            value = cards(name, "none of its files could be read; the list says why", [])
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
        return self._card(motion_id.partition("/")[0], library.entry(key))

    def find(
        self, latent: Float[Tensor, " dim"], limits: Limits, without: Sequence[str] = ()
    ) -> list[tuple[str, Hit]]:
        """The takes and moments nearest to a latent, best first, each with its library's name.

        The entry of a moment has a ``window``. A take is there whole where that fits better than
        any moment of it, and else by its moments. ``without`` are the ids of motions to leave out.
        """
        names = list(self.session.libraries)
        found = []
        for name in names if limits.library == ALL_LIBRARIES else [limits.library]:
            keys = [motion.partition("/")[2] for motion in without if motion.startswith(f"{name}/")]
            found += [(name, hit) for hit in self._find_in(name, latent, limits, keys)]
        return sorted(found, key=lambda pair: -pair[1].score)[: limits.top]

    def _find_in(
        self, name: str, latent: Float[Tensor, " dim"], limits: Limits, without: Sequence[str]
    ) -> list[Hit]:
        library = self.session.library(name)
        where = self._tagged(library, limits, limits.of_takes)
        takes = []
        if limits.show != MOMENTS and where is not None:
            takes = library.search(latent, limits.top, where, exclude=without)
        windowed = self.session.libraries.windowed(name)
        where = self._tagged(library, limits, limits.where)
        if limits.show == TAKES or windowed is None or where is None:
            return takes
        best = {hit.entry.key: hit.score for hit in takes}
        moments = []
        for found in windowed.moments(latent, limits.top, where, exclude=without):
            entry = replace(found.entry, start=found.start, end=found.end)
            length = entry.take.frames / entry.take.fps
            long_enough = limits.min_seconds <= length <= limits.max_seconds
            says_more = limits.show == MOMENTS or (
                found.score > best.get(entry.key, -1.0) and entry.seconds < MOST_OF_A_TAKE * length
            )
            if long_enough and says_more:
                moments.append(Hit(found.score, entry))
        by_moment = {hit.entry.key for hit in moments}
        return [hit for hit in takes if hit.entry.key not in by_moment] + moments

    def _tagged(self, library: Library, limits: Limits, where: str) -> str | None:
        """A filter with the tag of the limits; None where no take of the library has it."""
        if not limits.tag:
            return where
        keys = [key for key, tags in self.session.tags.of(library).items() if limits.tag in tags]
        if not keys:
            return None
        tagged = f"key in ({', '.join(map(quoted, keys))})"
        return f"{tagged} and {where}" if where else tagged

    def give_tags(self, motion_id: str, tags: Sequence[str]) -> list[str]:
        """Give a motion of a library these tags; as they are kept.

        Raises:
            InputError: an upload, no such motion, or too many or too long tags.
        """
        if motion_id.startswith(f"{UPLOADS}/"):
            raise InputError("an uploaded file has no tags; import its folder to keep it")
        library, key = self.session.find(motion_id)
        return self.session.tags.put(library, key, list(tags))

    def _card(self, name: str, entry: Entry, score: float | None = None) -> Value:
        """A card with the tags of its take."""
        tags = self.session.tags.of(self.session.library(name)).get(entry.key, [])
        return card(name, entry, score) | {"tags": tags}

    def confidence(
        self, latent: Float[Tensor, " dim"], hits: Sequence[tuple[str, Hit]]
    ) -> Level | None:
        """How sure it is that the best motion fits; None where there is none."""
        if not hits:
            return None
        name, best = hits[0]
        return self.session.confidence(name, latent, 2 * best.score - 1, best.entry.window > 0)

    def _confidence(self, latent: Float[Tensor, " dim"], hits: Sequence[tuple[str, Hit]]) -> Value:
        level = self.confidence(latent, hits)
        return {"confidence": {"level": level, "text": WORDS[level]}} if level else {}

    def examples(self, name: str) -> list[str]:
        """Sentences to begin with, that a library has motions for."""
        return self.session.examples(name, EXAMPLES)

    def _hits(self, heading: str, hits: Sequence[tuple[str, Hit]], limits: Limits) -> Value:
        items = [self._card(name, hit.entry, hit.score) for name, hit in hits]
        moments = sum(hit.entry.window > 0 for _, hit in hits)
        counts = ((len(hits) - moments, "take"), (moments, "moment"))
        what = " and ".join(f"{n} {word}{'s' * (n != 1)}" for n, word in counts if n)
        return _found(heading, f"{what} from {limits.library}", items)


def _part(motion: str) -> tuple[str, float | None, float | None]:
    """The id of a motion, and the seconds of its file that are meant, where some are."""
    found = FRAGMENT.search(motion)
    if found is None:
        return motion, None, None
    return motion[: found.start()], float(found[1]), float(found[2])


def _moment(segment: Segment) -> Value:
    return {
        "start": segment.start,
        "end": segment.end,
        "score": round(segment.score, 4),
        "fit": round(segment.fit, 4),
    }


def _found(heading: str, note: str, items: Sequence[Value]) -> Value:
    if not items:
        return cards(
            "Nothing found", "No motion passes the limits below the tabs; loosen them.", []
        )
    return cards(heading, note, items)


def _asked(limits: Limits, **query: str) -> Value:
    """What the page's address holds of a search: ``q`` or ``like``, and the library."""
    return {"query": {**query, "library": limits.library}}


def _term(text: str, weight: float) -> str:
    """A term as it is read in a query, too: quotes within would end it."""
    sign = "+" if weight > 0 else "−"  # noqa: RUF001
    factor = "" if abs(weight) == 1 else f"{abs(weight):g} "
    return f"{sign} {factor}“{QUOTES.sub('’', text)}”"  # noqa: RUF001


def _groups(
    entries: Sequence[Entry], latents: Float[Tensor, "n dim"]
) -> tuple[list[int], list[str]]:
    """The group of each motion by k-means, and as its name the caption nearest to its middle."""
    clusters = k_means(latents, min(GROUPS, len(latents)))
    nearest = [entries[clusters.items(group)[0]] for group in range(clusters.count)]
    return clusters.members.tolist(), [e.captions[0] if e.captions else e.key for e in nearest]
