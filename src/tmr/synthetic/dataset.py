"""The whole embedded data set: its motions, their captions and splits, and the files."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
from joblib import Parallel, delayed

from tmr.data.diverse_subset import farthest_points
from tmr.errors import InputError
from tmr.io import call_in, save_array, write_json, write_text
from tmr.synthetic.actions import ACTIONS
from tmr.synthetic.captions import brief_captions, captions, phrase
from tmr.synthetic.clip_builder import Spec, Style
from tmr.synthetic.sequences import Motion, animate, usual_seconds
from tmr.text.left_right import swap_sides

NAME = "synthetic"
Composition = tuple[Spec, ...]


@dataclass(frozen=True)
class CorpusSize:
    """How many motions there are, how long they last, and how far people differ.

    ``actions`` holds the shares of motions with one, two and three actions. Keys are twice as many
    as motions, because every motion has a mirrored copy. ``variety``, from 0 to 1, is how far
    people differ in body and manner (see ``Style.draw``).
    """

    motions: int = 1800
    test: int = 175
    val: int = 75
    actions: Sequence[float] = field(default=(0.65, 0.28, 0.07))
    min_seconds: float = 2.0
    max_seconds: float = 10.0
    variety: float = 1.0

    def __post_init__(self) -> None:
        """Raise InputError for sizes that cannot be made."""
        if len(self.actions) != 3 or min(self.actions) < 0 or abs(sum(self.actions) - 1) > 1e-6:
            raise InputError(
                f"found actions={list(self.actions)}; expected the shares of motions with one, two "
                "and three actions, with the sum 1, such as actions=[0.65,0.28,0.07]"
            )
        if not 0 < self.min_seconds < self.max_seconds or self.max_seconds < 8:
            raise InputError(
                f"found min_seconds={self.min_seconds} and max_seconds={self.max_seconds}; "
                "expected 0 < min_seconds < max_seconds, and max_seconds at least 8"
            )
        if self.test + self.val > self.motions / 2 or min(self.test, self.val) < 1:
            raise InputError(
                f"found motions={self.motions}, test={self.test}, val={self.val}; expected at "
                "least one test and one validation motion, and at most half of all"
            )
        if not 0 <= self.variety <= 1:
            raise InputError(
                f"found variety={self.variety}; expected 0 (everyone stands and moves in the usual "
                "manner) to 1 (as different as people are)"
            )


@dataclass(frozen=True)
class Entry:
    """One motion to be made: its key, split and composition, and the seed of all that is random."""

    key: str
    split: str
    composition: Composition
    seed: tuple[int, ...]


def mirrored(composition: Composition) -> Composition:
    """The composition as seen in a mirror."""
    return tuple(spec.mirrored() for spec in composition)


def canonical(composition: Composition) -> Composition:
    """One of the composition and its mirror image, the same for both."""
    return min(composition, mirrored(composition), key=str)


def _core(composition: Composition) -> tuple[tuple[str, ...], ...]:
    """What tells compositions apart at first sight: actions, sides and directions."""
    return tuple(
        (spec.action, spec.side, spec.direction, spec.carry) for spec in canonical(composition)
    )


def plan(size: CorpusSize, seed: int) -> list[Entry]:
    """Every motion of the data set, in order, the same for the same seed.

    No composition of the test or validation split, nor its mirror image, occurs in another split,
    but every action with every value of each attribute occurs in training, and often what people
    often tell of; in the other splits all actions are as frequent as each other. Test compositions
    are lopsided, so that a motion and its mirrored copy differ, and differ from each other in more
    than counts and tempos.
    """
    rng = np.random.default_rng([seed, 0])
    specs = {name: action.specs(name) for name, action in ACTIONS.items()}
    train: list[Composition] = [(spec,) for spec in _cover(specs, rng)]
    wanted = size.motions - size.test - size.val
    if len(train) > wanted:
        raise InputError(
            f"found motions={size.motions}, of which {wanted} to train on; expected at least "
            f"{len(train)}, which show every action with every value of its attributes"
        )
    kept = {canonical(composition) for composition in train}
    held: set[Composition] = set()
    cores = set()
    chosen: dict[str, list[Composition]] = {"test": [], "val": []}
    for split, keys in (("test", size.test), ("val", size.val)):
        for _ in range(20 * keys):
            if len(chosen[split]) == keys:
                break
            composition = _draw(specs, size, rng)
            one = canonical(composition)
            lopsided = composition != mirrored(composition)
            fresh = one not in kept and one not in held and _core(composition) not in cores
            if lopsided and fresh:
                chosen[split].append(composition)
                held.add(one)
                cores.add(_core(composition))
        else:
            raise InputError(
                f"found only {len(chosen[split])} compositions for the {split} split with actions="
                f"{list(size.actions)}; expected {keys}: give sequences of two or three "
                f"actions a larger share, or ask for fewer with size.{split}"
            )
    often = {name: action.often for name, action in ACTIONS.items()}
    while len(train) < wanted:
        composition = _draw(specs, size, rng, often)
        if canonical(composition) not in held:
            train.append(composition)
    rows = [("train", c) for c in train]
    rows += [(split, c) for split, group in chosen.items() for c in group]
    order = rng.permutation(len(rows))
    return [Entry(f"{i:05d}", *rows[int(j)], seed=(seed, 1, i)) for i, j in enumerate(order)]


def _cover(specs: dict[str, list[Spec]], rng: np.random.Generator) -> Iterator[Spec]:
    """Few specs that, with their mirror images, show every attribute value of every action."""
    for every in specs.values():
        missing = {(key, value) for spec in every for key, value in asdict(spec).items()}
        for i in rng.permutation(len(every)):
            spec = every[int(i)]
            values = set(asdict(spec).items()) | set(asdict(spec.mirrored()).items())
            if values & missing:
                missing -= values
                yield spec


def _draw(
    specs: dict[str, list[Spec]],
    size: CorpusSize,
    rng: np.random.Generator,
    often: Mapping[str, int] | None = None,
) -> Composition:
    """A random composition of different actions, a final one at most at the end.

    All actions come as often as each other, or as ``often`` as their numbers say, and then half of
    the time with arms that do nothing else: what people tell of least must not be shown most.
    """
    names = list(specs)
    weights = np.array([often[name] if often else 1 for name in names], dtype=float)
    weights /= weights.sum()
    count = 1 + int(rng.choice(3, p=np.array(size.actions) / sum(size.actions)))
    while True:
        drawn = [names[int(i)] for i in rng.choice(len(names), count, replace=False, p=weights)]
        if any(ACTIONS[name].final for name in drawn[:-1]):
            continue
        composition = tuple(_drawn(specs[name], rng, plain=often is not None) for name in drawn)
        if 1.1 * sum(map(usual_seconds, composition)) + 0.3 < size.max_seconds:
            return composition


def _drawn(specs: Sequence[Spec], rng: np.random.Generator, plain: bool) -> Spec:
    if plain and rng.random() < 0.5:
        specs = [spec for spec in specs if not spec.carry]
    return specs[int(rng.integers(len(specs)))]


def make(entry: Entry, size: CorpusSize) -> tuple[Motion, list[str], list[str]]:
    """The motion of an entry, its captions, and one phrase for each of its actions."""
    rng = np.random.default_rng(entry.seed)
    draw_style = partial(Style.draw, variety=size.variety)
    motion = animate(entry.composition, rng, size.min_seconds, size.max_seconds, draw_style)
    sentences = captions(entry.composition, rng)
    phrases = [f"a person {phrase(spec, rng)}." for spec in entry.composition]
    if entry.split == "train":
        brief = brief_captions(entry.composition, rng)
        sentences += [sentence for sentence in brief if sentence not in sentences]
    return motion, sentences, phrases


def _write(entry: Entry, size: CorpusSize, folder: Path) -> dict[str, Any]:
    """Write the joints of an entry; returns the annotations of the motion and its mirrored copy."""
    motion, sentences, phrases = make(entry, size)
    save_array(folder / f"{entry.key}.npy", motion.joints.astype(np.float32))
    return {
        prefix + entry.key: {
            "path": f"{'M/' if prefix else ''}{NAME}/{entry.key}",
            "duration": motion.duration,
            "annotations": [
                {
                    "seg_id": f"{prefix}{entry.key}_{i}",
                    "text": told(text),
                    "start": 0.0,
                    "end": motion.duration,
                }
                for i, text in enumerate(sentences)
            ],
            "segments": [
                {"text": told(text), "start": start, "end": end, **asdict(spec)}
                for text, (start, end), spec in zip(
                    phrases, motion.segments, composition, strict=True
                )
            ],
        }
        for prefix, told, composition in (
            ("", str, entry.composition),
            ("M", swap_sides, mirrored(entry.composition)),
        )
    }


def synthesize(
    root: Path | str, size: CorpusSize | None = None, seed: int = 0, processes: int = 1
) -> dict[str, int]:
    """Number of keys in each split, after writing the data set below ``root``.

    Files: ``motions/joints/synthetic/KEY.npy`` (float32, frames x 22 x 3, 20 fps, meters, Y up) and
    ``annotations/synthetic/{annotations.json, splits/*.txt}``. The same seed gives the same bytes,
    whatever the number of processes. Mirrored keys start with M; their motions are made with the
    features. Raises InputError where the folder has motions that do not belong to the data set.
    """
    size = size or CorpusSize()
    joints = Path(root) / "motions" / "joints" / NAME
    entries = plan(size, seed)
    strangers = {path.stem for path in joints.glob("*.npy")} - {entry.key for entry in entries}
    if strangers:
        raise InputError(
            f"found {len(strangers)} motions in {joints} that this data set does not have, such as "
            f"{min(strangers)}.npy; expected an empty folder or the same data set: delete {joints}"
        )
    joints.mkdir(parents=True, exist_ok=True)
    jobs = (delayed(call_in)(Path.cwd(), _write, entry, size, joints) for entry in entries)
    annotations: dict[str, Any] = {}
    for written in Parallel(n_jobs=processes, return_as="generator")(jobs):
        annotations |= cast(dict[str, Any], written)
    splits = _splits(entries)
    splits["nsim_test"] = dissimilar(
        {key: annotations[key]["annotations"][0]["text"] for key in splits["test"]}, 100
    )
    folder = Path(root) / "annotations" / NAME
    write_json(folder / "annotations.json", dict(sorted(annotations.items())))
    for name, keys in splits.items():
        write_text(folder / "splits" / f"{name}.txt", "".join(f"{key}\n" for key in keys))
    return {name: len(keys) for name, keys in splits.items()}


def _splits(entries: Sequence[Entry]) -> dict[str, list[str]]:
    splits = {
        name: sorted(
            prefix + entry.key for entry in entries if entry.split == name for prefix in ("", "M")
        )
        for name in ("train", "val", "test")
    }
    return splits | {"all": sorted(key for keys in splits.values() for key in keys)}


def dissimilar(texts: dict[str, str], count: int) -> list[str]:
    """Up to ``count`` keys whose texts share few words: each next one is the farthest from all.

    The distance is one minus the cosine of word and word-pair counts weighted by rarity, so that no
    language model is needed.
    """
    keys = sorted(texts)
    bags = []
    for key in keys:
        words = texts[key].strip(".").replace(",", "").split()
        bags.append(words + [f"{a} {b}" for a, b in pairwise(words)])
    terms = {term: i for i, term in enumerate(sorted({t for bag in bags for t in bag}))}
    counts = np.zeros((len(keys), len(terms)))
    for row, bag in zip(counts, bags, strict=True):
        for term in bag:
            row[terms[term]] += 1
    weighted = counts * np.log((1 + len(keys)) / (1 + (counts > 0).sum(axis=0)))
    return sorted(keys[i] for i in farthest_points(weighted, count))
