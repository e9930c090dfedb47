"""How sure a search is that a library holds what was searched for.

A score alone does not tell: the nearest motion of any library is near to any sentence. What tells
is the best cosine and how far it stands above the mean of the library, compared with what sentences
get that no motion can fit. Some hundred of them are searched for in a library, once.
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
# Shares of the unrelated sentences that a sentence is above; by benchmarks/confidence.py --val.
STRONG_ABOVE, FAIR_ABOVE = 0.96, 0.85

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
# What many libraries hold; those that fit the one on the page are offered as examples.
PLAIN = (
    "a person walks forward", "a person runs", "a person walks, then turns left",
    "a person turns around to the right", "someone walks in a circle", "a person waves",
    "someone raises both arms", "a person raises the left arm", "a person kicks",
    "a person punches", "a person jumps up", "someone jumps forward", "a person sits down",
    "someone stands up", "a person bows", "a person dances", "someone claps", "a person throws",
    "a person picks something up", "someone kneels down", "a person limps", "a person sneaks",
    "a person walks backwards", "someone stretches", "a person stands still",
)  # fmt: skip
UNRELATED = tuple(f"{thing} {fact}" for thing, fact in product(_THINGS, _FACTS))


@dataclass(frozen=True, slots=True)
class Confidence:
    """What best cosines mean in a library.

    ``mean`` is the mean of its latents; ``unrelated`` is, sorted, what sentences that nothing can
    fit get: their best cosine, and once more how far it is above their mean cosine.
    """

    mean: Float[Tensor, " dim"]
    unrelated: tuple[float, ...]

    @staticmethod
    def of(
        best: Float[Tensor, " q"], unrelated: Float[Tensor, "q dim"], mean: Float[Tensor, " dim"]
    ) -> "Confidence":
        """Calibrated by the best cosines that unrelated sentences have in a library."""
        return Confidence(mean, tuple(sorted((2 * best - unrelated @ mean).tolist())))

    def stands(self, query: Float[Tensor, " dim"], cosine: float | Float[Tensor, ""]) -> float:
        """The best cosine of a query, and once more how far that is above its mean cosine."""
        return float(2 * cosine - query @ self.mean)

    def above(self, query: Float[Tensor, " dim"], cosine: float | Float[Tensor, ""]) -> float:
        """Share of the unrelated sentences that a query is above, with its best cosine."""
        return bisect_left(self.unrelated, self.stands(query, cosine)) / len(self.unrelated)

    def level(self, query: Float[Tensor, " dim"], cosine: float | Float[Tensor, ""]) -> Level:
        """Strong, fair or weak: how sure it is that a motion with this cosine fits."""
        share = self.above(query, cosine)
        return STRONG if share >= STRONG_ABOVE else FAIR if share >= FAIR_ABOVE else WEAK
