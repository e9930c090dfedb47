"""What generated motions are measured on, what they are compared with, and the table of figures."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from tmr.data import Normalizer, TextMotionData
from tmr.data.dataset import frames_of, read_features
from tmr.errors import InputError
from tmr.generation import physics, positions
from tmr.generation.sampling import SHORTEST
from tmr.motion.skeleton import FPS

log = logging.getLogger(__name__)

Features = Float[np.ndarray, "_ 263"]

# Figures of latents, in the order of the table. Those of `tmr.generation.metrics.evaluate`.
LATENT_FIGURES = (
    "fid",
    "fid_unscaled",
    *(f"r_precision_{k}" for k in (1, 2, 3)),
    *(f"r_precision_all_{k}" for k in (1, 2, 3)),
    "matching_score",
    "text_score",
    "motion_score",
    "diversity",
    "multimodality",
)


@dataclass(frozen=True, slots=True)
class Case:
    """A described part of a real motion: frames [begin, end) of a feature file."""

    text: str
    file: Path
    begin: int
    end: int

    def __len__(self) -> int:
        """Number of frames; the file may have fewer."""
        return self.end - self.begin

    def read(self) -> Features:
        """Unnormalized features of the part."""
        return read_features(self.file)[self.begin : self.end]


# Texts and their real motions to motions, for each text as many.
Method = Callable[[Sequence[str], Sequence[Features]], list[list[Features]]]


def cases_of(data: TextMotionData, split: str, longest: float) -> list[Case]:
    """The first caption of every motion of a split, of half a second to ``longest`` seconds.

    Raises:
        InputError: no motion of such a length.
    """
    cases, outside = [], 0
    for annotation in data.present(split):
        caption, file = annotation.captions[0], data.motion_file(annotation.path)
        begin, end = frames_of(caption, len(np.load(file, mmap_mode="r")))
        if SHORTEST * FPS <= end - begin <= longest * FPS:
            cases.append(Case(caption.text, file, begin, end))
        else:
            outside += 1
    if outside:
        log.warning(
            "split %s: %d motions left out, not of %g to %g s, the lengths that the model makes",
            split, outside, SHORTEST, longest,
        )  # fmt: skip
    if not cases:
        raise InputError(f"split {split!r} of {data.name!r} has no motion to compare with")
    return cases


def mean_motion(normalizer: Normalizer) -> Method:
    """The mean features of the training split in every frame: what knows nothing of the text."""
    mean = normalizer.mean.numpy()
    return lambda _, real: [[np.tile(mean, (len(motion), 1))] for motion in real]


def training_clips(training: Sequence[Case], samples: int, seed: int) -> Method:
    """Real motions of other texts: clips of the training split, drawn at random, cut to length.

    Drawn are those that are long enough, or where there is none, the longest.
    """
    random = np.random.default_rng(seed)
    lengths = np.array([len(case) for case in training])

    def clip(frames: int) -> Features:
        enough = np.flatnonzero(lengths >= min(frames, lengths.max()))
        return training[random.choice(enough)].read()[:frames]

    return lambda _, real: [[clip(len(motion)) for _ in range(samples)] for motion in real]


def table(columns: Mapping[str, Mapping[str, float]]) -> str:
    """Figures of methods side by side, a figure a line; a dash where a method has none."""
    labels = {name: f"{_words(name)}, {unit}" for name, unit in positions.UNITS.items()}
    labels |= {f"best_{name}": f"best {label}" for name, label in labels.items()}
    labels |= {name: _words(name) for name in LATENT_FIGURES}
    labels |= {name: f"{_words(name)}, {unit}" for name, unit in physics.UNITS.items()}
    shown = [name for name in labels if any(name in figures for figures in columns.values())]
    left = max(len(labels[name]) for name in shown) + 1
    width = max(10, *(len(name) + 2 for name in columns))
    lines = [" " * left + "".join(f"{name:>{width}}" for name in columns)]
    for name in shown:
        cells = [f"{f[name]:.{_digits(name)}f}" if name in f else "-" for f in columns.values()]
        lines.append(f"{labels[name]:<{left}}" + "".join(f"{cell:>{width}}" for cell in cells))
    return "\n".join(lines)


def _digits(name: str) -> int:
    return 2 if name in physics.UNITS else 4


def _words(name: str) -> str:
    kind, _, variant = name.partition("_")
    if kind in ("ape", "ave"):
        return f"{kind.upper()} {variant.replace('_', ' ')}"
    if name.startswith("r_precision_"):
        return f"R-precision@{name[-1]}{', all texts' if '_all_' in name else ''}"
    if name.startswith("fid"):
        return "FID" if name == "fid" else "FID, latents as they are"
    return name.replace("_", " ")
