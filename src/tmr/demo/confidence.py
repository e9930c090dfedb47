"""How sure a search is that a library holds what was searched for.

A score alone does not tell: the nearest motion of any library is near to any sentence. What tells
is how a sentence's best score compares with those of sentences that no motion can fit. Some hundred
of them are searched for in a library, once.
"""

from bisect import bisect_left
from dataclasses import dataclass
from itertools import product
from typing import Literal

from jaxtyping import Float
from torch import Tensor

Level = Literal["strong", "fair", "weak"]
STRONG: Level = "strong"
FAIR: Level = "fair"
WEAK: Level = "weak"
WORDS: dict[Level, str] = {
    STRONG: "a strong match",
    FAIR: "a fair match",
    WEAK: "probably not in this library",
}
# Shares of the unrelated sentences whose best score is lower.
STRONG_ABOVE, FAIR_ABOVE = 0.99, 0.9

_THINGS = (
    "the stock market", "a recipe for soup", "the weather report", "an old castle", "the tax form",
    "a quantum computer", "my favorite song", "a bowl of fruit", "the election result",
    "a chess opening", "the train timetable", "a medieval painting", "qwertz asdf",
)  # fmt: skip
_FACTS = (
    "is getting expensive", "was published yesterday", "tastes of lemon", "belongs to a museum",
    "has seven letters", "is written in Latin", "smells of coffee", "is green and round",
    "depends on the interest rate", "contains no sugar", "is older than the city",
)  # fmt: skip
UNRELATED = tuple(f"{thing} {fact}" for thing, fact in product(_THINGS, _FACTS))


@dataclass(frozen=True, slots=True)
class Confidence:
    """What best cosines mean in a library: those of sentences that nothing can fit, sorted."""

    unrelated: tuple[float, ...]

    @staticmethod
    def of(best: Float[Tensor, " q"]) -> "Confidence":
        """Calibrated by the best cosines that ``UNRELATED`` have in a library."""
        return Confidence(tuple(sorted(best.tolist())))

    def level(self, cosine: float) -> Level:
        """Strong, fair or weak: how sure it is that a motion with this cosine fits."""
        share = bisect_left(self.unrelated, cosine) / len(self.unrelated)
        return STRONG if share >= STRONG_ABOVE else FAIR if share >= FAIR_ABOVE else WEAK
