"""Scores of windows for a sentence, and what they say about segments.

A window's ``score`` is (1 + cosine) / 2 of its latent and the sentence's, as everywhere. Cosines
of short windows vary more than those of long ones, so the best of many short windows wins too
often. The ``fit`` corrects this by what is known of how long described actions are: cosine / t is
the model's log likelihood up to a constant (t is the temperature of its contrastive loss), so

    fit = score + t / 2 * log(p(length) / p(typical length)),

with log-normal p, is its log posterior on the scale of the score.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from tmr.errors import InputError
from tmr.localization.calibration import Calibration
from tmr.localization.segments import Segment, non_maximum_suppression
from tmr.localization.windows import WindowLatents
from tmr.motion.skeleton import FPS
from tmr.retrieval import cosine_similarity, shown_score


@dataclass(frozen=True, slots=True)
class Scoring:
    """The temperature t, the log-normal prior of lengths, and how far segments may overlap.

    ``typical_seconds`` is the median length of described actions, ``spread`` the standard
    deviation of its logarithm; ``max_overlap`` is the intersection over union above which a
    segment gives way to a better one.

    Raises:
        InputError: a length or spread of zero or less, or an overlap outside [0, 1].
    """

    temperature: float
    typical_seconds: float
    spread: float
    max_overlap: float

    def __post_init__(self) -> None:
        if min(self.typical_seconds, self.spread) <= 0 or not 0 <= self.max_overlap <= 1:
            raise InputError(
                f"found typical_seconds={self.typical_seconds}, spread={self.spread}, "
                f"max_overlap={self.max_overlap}; expected two positive numbers, then 0 to 1"
            )

    def bonus(self, lengths: Int[np.ndarray, " windows"]) -> Float[np.ndarray, " windows"]:
        """What the length of a window, in frames, adds to its score: 0 at the typical length."""
        distance = np.log(lengths / FPS / self.typical_seconds) / self.spread
        return -self.temperature / 4 * distance**2


@dataclass(frozen=True, slots=True)
class Moment:
    """A segment of the motion called ``name``."""

    name: str
    segment: Segment


def window_scores(
    sentence: Float[Tensor, " dim"], windows: WindowLatents
) -> Float[np.ndarray, " windows"]:
    """The score of every window for the latent of a sentence."""
    return shown_score(cosine_similarity(sentence[None].cpu(), windows.latents))[0].numpy()


def ranked(
    windows: WindowLatents, scores: Float[np.ndarray, " windows"], scoring: Scoring, top: int
) -> tuple[Int[np.ndarray, " kept"], Float[np.ndarray, " kept"]]:
    """Up to ``top`` windows that overlap little, from the best fit down, and their fits."""
    fits = scores + scoring.bonus(windows.spans[:, 1] - windows.spans[:, 0])
    kept = non_maximum_suppression(windows.spans, fits, scoring.max_overlap, top)
    return kept, fits[kept].astype(np.float64)


def best_moments(
    windows: WindowLatents,
    scores: Float[np.ndarray, " windows"],
    scoring: Scoring,
    top: int,
    calibration: Calibration | None = None,
) -> list[Moment]:
    """Up to ``top`` moments from the best fit down, in one motion or in a whole library."""
    kept, fits = ranked(windows, scores, scoring, top)
    spans = windows.spans[kept]
    motions = windows.motions(spans)
    seconds = (spans - windows.offsets[motions][:, None]) / FPS
    confidences = [None] * len(kept) if calibration is None else calibration(fits).tolist()
    return [
        Moment(
            windows.names[motion],
            Segment(
                start=float(start),
                end=float(end),
                score=float(scores[i]),
                fit=float(fit),
                confidence=confidence,
            ),
        )
        for i, fit, confidence, motion, (start, end) in zip(
            kept, fits, confidences, motions, seconds, strict=True
        )
    ]


def curve(
    windows: WindowLatents, scores: Float[np.ndarray, " windows"], scoring: Scoring
) -> Float[np.ndarray, " frames"]:
    """The best fit of a window around each frame of a single motion.

    Fits of one length are interpolated between the centers of the windows; the best length counts.
    """
    spans = windows.spans
    lengths = spans[:, 1] - spans[:, 0]
    fits = scores + scoring.bonus(lengths)
    frames = np.arange(windows.offsets[-1]) + 0.5
    rows = [lengths == length for length in np.unique(lengths)]
    return np.max([np.interp(frames, spans[r].mean(axis=1), fits[r]) for r in rows], axis=0)
