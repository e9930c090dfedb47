"""Left and right in captions: which sides a caption names, and what it says of the mirror image."""

import re
from functools import lru_cache

# What ``side_bits`` tells of a caption, in pairs of which the mirror image has the other.
SIDES = (
    "left", "right", "clockwise", "counterclockwise",
    "left first", "right first", "left last", "right last",
)  # fmt: skip
_SIDES = {"left": "right", "right": "left"}
# Also leftwards, left-sided, right-hand; not upright, bright, straight or righten.
_SIDE = re.compile(r"\b(left|right)(?=(?:wards?|hand(?:ed)?|most|y)?\b)", re.IGNORECASE)
_BOTH = re.compile(
    r"\b(?:both|two)(?: of)?(?: (?:his|her|their|the|its))? "
    r"(?:hands?|arms?|legs?|feet|foot|knees?|fists?|elbows?|wrists?|sides?|shoulders?|heels?|toes)\b",
    re.IGNORECASE,
)
_TURN = re.compile(r"\b((?:counter|anti)[- ]?)?clock-?wise\b", re.IGNORECASE)


def swap_sides(text: str) -> str:
    """``text`` with left and right, clockwise and counterclockwise exchanged, letter case kept."""
    sides = _SIDE.sub(lambda found: _like(found[0], _SIDES[found[0].lower()]), text)
    return _TURN.sub(
        lambda found: _like(found[0], "clockwise" if found[1] else "counterclockwise"), sides
    )


@lru_cache(maxsize=2**18)
def side_bits(text: str) -> tuple[bool, ...]:
    """Which of ``SIDES`` a caption names, and which of left and right it names first and last.

    "Both hands" (arms, legs, feet ...) names left and right, in no order, unless a side is named
    too: in "waves the left hand, then lifts both arms" the left alone tells the motion from its
    mirror image. Of "turns left, then kicks with the right leg", the order alone does.
    """
    named = [found[1].lower() for found in _SIDE.finditer(text)]
    sides = named or (["left", "right"] if _BOTH.search(text) else [])
    turns = {bool(found[1]) for found in _TURN.finditer(text)}
    first, last = named[:1], named[-1:]
    return (
        "left" in sides, "right" in sides, False in turns, True in turns,
        "left" in first, "right" in first, "left" in last, "right" in last,
    )  # fmt: skip


def _like(model: str, word: str) -> str:
    if model.isupper():
        return word.upper()
    return word.capitalize() if model[0].isupper() else word
