"""What mining found, as a Markdown page that people read."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MotionPair:
    """Two motions: the score (1 + cosine) / 2 of their latents, and that of their captions."""

    first: str
    second: str
    first_caption: str
    second_caption: str
    score: float
    caption_score: float


@dataclass(frozen=True, slots=True)
class Suspect:
    """A motion with a caption that fits it badly, and the caption of the library that fits best."""

    key: str
    caption: str
    score: float
    better: str
    better_score: float


@dataclass(frozen=True, slots=True)
class ClusterReport:
    """A cluster: its distinctive words, how close its motions are, and the most central of them."""

    words: tuple[str, ...]
    keys: tuple[str, ...]
    captions: tuple[str, ...]
    mean_score: float


@dataclass(frozen=True, slots=True)
class Mined:
    """Everything that was found in a library, best examples first.

    ``duplicates`` are groups of keys; ``alike`` pairs of like motions with unlike captions, and
    ``unlike`` pairs of unlike motions with like captions.
    """

    title: str
    motions: int
    duplicates: Sequence[Sequence[str]]
    alike: Sequence[MotionPair]
    unlike: Sequence[MotionPair]
    suspects: Sequence[Suspect]
    clusters: Sequence[ClusterReport]


def markdown(mined: Mined, examples: int) -> str:
    """The page: each finding with what it is good for, and its first ``examples``."""
    captions = {key: c for r in mined.clusters for key, c in zip(r.keys, r.captions, strict=True)}
    groups = [
        f"- {len(group)} motions: {', '.join(group[:8])}{' ...' if len(group) > 8 else ''}"
        f" ({captions[group[0]]})"
        for group in mined.duplicates[:examples]
    ]
    suspects = [
        f"- {s.key}, {s.score:.3f}: {s.caption}\n  - fits better, {s.better_score:.3f}: {s.better}"
        for s in mined.suspects[:examples]
    ]
    clusters = [
        f"| {i} | {len(r.keys)} | {r.mean_score:.3f} | {', '.join(r.words)} | {r.keys[0]} | "
        f"{r.captions[0]} |"
        for i, r in enumerate(mined.clusters, 1)
    ]
    table = ["| cluster | motions | score | words | center | its caption |", "|" + "---|" * 6]
    blocks = [
        f"# {mined.title}: {mined.motions} motions",
        "Scores are (1 + cosine) / 2 of latents.",
        f"## Near duplicates: {len(mined.duplicates)} groups",
        "The same movement more than once: keep one of each group, or all in one split.",
        _list(groups),
        f"## Like motions, unlike captions: {len(mined.alike)} pairs",
        "One of the captions may be wrong or may leave something out.",
        _list(_pairs(mined.alike[:examples])),
        f"## Unlike motions, like captions: {len(mined.unlike)} pairs",
        "What the captions do not say: candidates for a more exact caption.",
        _list(_pairs(mined.unlike[:examples])),
        f"## Captions that fit badly: {len(mined.suspects)}",
        "Another caption of the library fits far better.",
        _list(suspects),
        f"## Clusters: {len(mined.clusters)}",
        "\n".join([*table, *clusters]),
    ]
    return "\n\n".join(blocks) + "\n"


def _list(lines: list[str]) -> str:
    return "\n".join(lines) or "None."


def _pairs(pairs: Sequence[MotionPair]) -> list[str]:
    return [
        f"- motions {p.score:.3f}, captions {p.caption_score:.3f}\n"
        f"  - {p.first}: {p.first_caption}\n  - {p.second}: {p.second_caption}"
        for p in pairs
    ]
