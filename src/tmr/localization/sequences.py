"""Long motions with sentences whose places are known: what localization is measured on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from tmr.data import Annotation, Caption, TextMotionData
from tmr.data.dataset import read_features
from tmr.errors import InputError
from tmr.localization.concatenation import join
from tmr.motion.features import features_to_joints, joints_to_features
from tmr.motion.skeleton import FPS

FeatureReader = Callable[[Annotation], Float[np.ndarray, "_ 263"]]


@dataclass(frozen=True, slots=True)
class Query:
    """A sentence and the spans [start, end), in frames, where it happens in a sequence."""

    text: str
    truths: Float[np.ndarray, "truths 2"]


@dataclass(frozen=True, slots=True)
class AnnotatedSequence:
    """Features of a motion, not normalized, and the sentences that happen in it."""

    name: str
    features: Float[np.ndarray, "frames 263"]
    queries: tuple[Query, ...]

    @property
    def texts(self) -> set[str]:
        """The sentences that happen in it."""
        return {query.text for query in self.queries}


def parts_of(annotation: Annotation) -> tuple[Caption, ...]:
    """The described parts of a motion, one text each.

    These are its segments, where the data set has them; otherwise the first of the captions of
    each span, because further captions of the same span say the same in other words.
    """
    if annotation.segments:
        return annotation.segments
    first: dict[tuple[float, float], Caption] = {}
    for caption in annotation.captions:
        first.setdefault((caption.start, caption.end), caption)
    return tuple(first.values())


def sequences_of(
    data: TextMotionData, split: str, clips: int, count: int, seed: int
) -> list[AnnotatedSequence]:
    """The motions of a split as they lie with ``clips=1``, else ``count`` of as many joined.

    Raises:
        InputError: no motion has two described parts, or too few have different sentences.
    """

    def read(annotation: Annotation) -> Float[np.ndarray, "_ 263"]:
        return read_features(data.motion_file(annotation.path))

    annotations = data.present(split)
    if clips == 1:
        return as_they_lie(annotations, read)
    return joined(annotations, read, count, clips, seed)


def as_they_lie(annotations: Sequence[Annotation], read: FeatureReader) -> list[AnnotatedSequence]:
    """The motions in which something happens in a part only, each as a sequence.

    A motion with a single described part asks for nothing: it is left out.

    Raises:
        InputError: no motion has two described parts.
    """
    several = [a for a in annotations if len(parts_of(a)) > 1]
    if not several:
        raise InputError(
            f"none of {len(annotations)} motions has two described parts, so there is nothing to "
            "localize; join several motions to each sequence with clips=10"
        )
    sequences = []
    for annotation in several:
        features = read(annotation)
        queries = _queries([(c.text, c.start * FPS, c.end * FPS) for c in parts_of(annotation)])
        sequences.append(AnnotatedSequence(annotation.key, features, queries))
    return sequences


def joined(
    annotations: Sequence[Annotation], read: FeatureReader, count: int, clips: int, seed: int
) -> list[AnnotatedSequence]:
    """``count`` sequences of ``clips`` motions each, joined at random without a repeated sentence.

    A motion may be in several sequences, but only once in each.

    Raises:
        InputError: there are fewer than ``clips`` motions with different sentences.
    """
    rng = np.random.default_rng(seed)
    return [
        _joined_one(f"joined-{number:04d}", _draw(annotations, clips, rng), read)
        for number in range(count)
    ]


def _draw(
    annotations: Sequence[Annotation], clips: int, rng: np.random.Generator
) -> list[Annotation]:
    chosen: list[Annotation] = []
    said: set[str] = set()
    for index in rng.permutation(len(annotations)):
        texts = {part.text for part in parts_of(annotations[index])}
        if not texts & said:
            chosen.append(annotations[index])
            said |= texts
        if len(chosen) == clips:
            return chosen
    raise InputError(
        f"only {len(chosen)} of {len(annotations)} motions have sentences that differ; "
        f"found clips={clips}, expected at most that"
    )


def _joined_one(
    name: str, annotations: Sequence[Annotation], read: FeatureReader
) -> AnnotatedSequence:
    joints, spans = join([features_to_joints(read(a)) for a in annotations])
    parts = []
    for annotation, (begin, end) in zip(annotations, spans, strict=True):
        for part in parts_of(annotation):
            start = begin + part.start * FPS
            parts.append((part.text, start, min(begin + part.end * FPS, end)))
    features = joints_to_features(joints)
    return AnnotatedSequence(name, features, _queries(parts))


def _queries(parts: Sequence[tuple[str, float, float]]) -> tuple[Query, ...]:
    spans: dict[str, list[tuple[float, float]]] = {}
    for text, start, end in parts:
        spans.setdefault(text, []).append((start, end))
    return tuple(Query(text, np.array(found)) for text, found in spans.items())
