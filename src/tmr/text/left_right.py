"""Left and right in captions: what a caption says of the mirrored motion."""

import re

_SIDES = {"left": "right", "right": "left"}
# Also leftwards, left-sided, right-hand; not upright, bright, straight or righten.
_SIDE = re.compile(r"\b(left|right)(?=(?:wards?|hand(?:ed)?|most|y)?\b)", re.IGNORECASE)
_TURN = re.compile(r"\b((?:counter|anti)[- ]?)?clock-?wise\b", re.IGNORECASE)


def swap_sides(text: str) -> str:
    """``text`` with left and right, clockwise and counterclockwise exchanged, letter case kept."""
    sides = _SIDE.sub(lambda found: _like(found[0], _SIDES[found[0].lower()]), text)
    return _TURN.sub(
        lambda found: _like(found[0], "clockwise" if found[1] else "counterclockwise"), sides
    )


def _like(model: str, word: str) -> str:
    if model.isupper():
        return word.upper()
    return word.capitalize() if model[0].isupper() else word
