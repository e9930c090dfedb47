"""Queries of several sentences: ``"walk" + 0.5 "angry" - "turn"``."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from tmr.errors import InputError

MAX_QUERY_LENGTH = 500  # characters
MAX_TERMS = 16
MAX_WEIGHT = 100

_NUMBER = re.compile(r"\d+(\.\d*)?|\.\d+", re.ASCII)
_COMPOUND = re.compile(r'["+\-*.\d]')  # how a query of several sentences begins
_STRAIGHT = str.maketrans("“”„«»−", '"' * 5 + "-")  # phones type these  # noqa: RUF001
_SMALLEST_SUM = 1e-4  # of unit vectors: what is left when terms cancel out is rounding


@dataclass(frozen=True, slots=True)
class Term:
    """A sentence and how much it counts: what should not be there has a weight below zero."""

    text: str
    weight: float | int = 1


def check_sentence(text: object) -> str:
    """The sentence without space around it.

    Raises:
        InputError: no text, an empty one, one of more than ``MAX_QUERY_LENGTH`` characters, or one
            that is no valid Unicode.
    """
    if not isinstance(text, str):
        raise InputError(f"expected a sentence, found {type(text).__name__}")
    if len(text) > MAX_QUERY_LENGTH:
        raise InputError(
            f"the query has {len(text):,} characters; use at most {MAX_QUERY_LENGTH} of them"
        )
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError("the query holds half a character; type it again") from None
    if not text.strip():
        raise InputError("the query has an empty sentence; say what to look for")
    return text.strip()


def parse_query(query: str) -> tuple[Term, ...]:
    """The terms of a query as people type it, in time that is linear in its length.

    Quoted sentences are joined by + and -, each with a weight in front if it is not 1:
    ``"walk" + 0.5 "angry" - "turn"``. Text that has no double quotes, or begins with a word, is one
    sentence: ``he says "go"``.

    Raises:
        InputError: a query or sentence that :func:`check_sentence` refuses, more than
            ``MAX_TERMS`` terms, something between the terms that is neither sign nor weight, a
            weight above ``MAX_WEIGHT``, no term that is wanted, or terms that cancel out.
    """
    sentence = check_sentence(query)
    query = sentence.translate(_STRAIGHT)
    if '"' not in query or not _COMPOUND.match(query):
        return (Term(sentence),)
    *pairs, rest = query.split('"')  # what stands between the quotes in turn with what is quoted
    if len(pairs) % 2 or rest.strip():
        raise _unreadable(query)
    if len(pairs) > 2 * MAX_TERMS:
        raise InputError(
            f"the query has {len(pairs) // 2} sentences; use at most {MAX_TERMS} of them"
        )
    weights = [_weight(before, query, first=place == 0) for place, before in enumerate(pairs[::2])]
    terms = tuple(
        Term(check_sentence(text), weight)
        for text, weight in zip(pairs[1::2], weights, strict=True)
    )
    if not any(term.weight > 0 for term in terms):
        raise InputError("the query only says what not to find; add what to look for")
    sums = dict.fromkeys((term.text for term in terms), 0.0)
    for term in terms:
        sums[term.text] += term.weight
    if not any(weight > 0 for weight in sums.values()):
        raise InputError("the sentences of the query cancel out; change one or its weight")
    return terms


def combine(
    latents: Float[Tensor, "terms dim"], weights: Sequence[float | int]
) -> Float[Tensor, " dim"]:
    """One latent for several, of length 1: the weighted sum of their directions.

    Its cosine with an item is, up to a factor that is the same for all items, the weighted sum of
    the terms' cosines with the item.

    Raises:
        InputError: a weight that is no finite number, or a sum of zero.
    """
    for weight in weights:
        if isinstance(weight, bool) or not math.isfinite(weight) or abs(weight) > MAX_WEIGHT:
            raise InputError(f"found the weight {weight}, expected a number up to {MAX_WEIGHT}")
    total = torch.as_tensor(weights).to(latents) @ F.normalize(latents, dim=-1)
    if total.norm() < _SMALLEST_SUM:
        raise InputError("the sentences of the query cancel out; change one or its weight")
    return F.normalize(total, dim=-1)


def _weight(before: str, query: str, first: bool) -> float | int:
    """The weight that stands before a sentence, with its sign."""
    before = before.strip()
    signed = before[:1] in ("+", "-")
    if not signed and not first:
        raise _unreadable(query)
    number = before[signed:].strip()
    number = number.removesuffix("*").rstrip() if number != "*" else number
    if number and not _NUMBER.fullmatch(number):
        raise _unreadable(query)
    weight = float(number) if number else 1
    if weight > MAX_WEIGHT:
        raise InputError(f"a weight of the query is above {MAX_WEIGHT}; make it smaller")
    return -weight if before[:1] == "-" else weight


def _unreadable(query: str) -> InputError:
    shown = query if len(query) <= 60 else f"{query[:57]}..."
    return InputError(
        f"cannot read the query {shown!r}; write quoted sentences joined by + and -, "
        'such as "walk" + 0.5 "angry" - "turn"'
    )
