"""Queries of several sentences: ``"walk" + 0.5 "angry" - "turn"``."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from tmr.errors import InputError

_TERM = re.compile(r'\s*(?P<sign>[+-]?)\s*(?:(?P<weight>\d*\.?\d+)\s*\*?\s*)?"(?P<text>[^"]*)"\s*')
_STRAIGHT = str.maketrans("“”„«»", '"' * 5)  # phones type these


@dataclass(frozen=True, slots=True)
class Term:
    """A sentence and how much it counts: what should not be there has a weight below zero."""

    text: str
    weight: float | int = 1


def parse_query(query: str) -> tuple[Term, ...]:
    """The terms of a query as people type it.

    Text without double quotes is one sentence. Quoted sentences are joined by + and -, each with
    a weight in front if it is not 1: ``"walk" + 0.5 "angry" - "turn"``.

    Raises:
        InputError: an empty query or sentence, something between the terms that is neither sign
            nor weight, or no term that is wanted.
    """
    query = query.translate(_STRAIGHT)
    if '"' not in query:
        terms = (Term(query.strip()),)
    else:
        matches = list(_TERM.finditer(query))
        signs = [match["sign"] for match in matches]
        if "".join(match[0] for match in matches) != query or not all(signs[1:]):
            raise InputError(
                f"cannot read the query {query!r}; write quoted sentences joined by + and -, "
                'such as "walk" + 0.5 "angry" - "turn"'
            )
        terms = tuple(
            Term(m["text"].strip(), float(m["weight"] or 1) * (-1 if m["sign"] == "-" else 1))
            for m in matches
        )
    if not all(term.text for term in terms):
        raise InputError("the query has an empty sentence; say what to look for")
    if not any(term.weight > 0 for term in terms):
        raise InputError(f"the query {query!r} only says what not to find; add what to look for")
    return terms


def combine(
    latents: Float[Tensor, "terms dim"], weights: Sequence[float | int]
) -> Float[Tensor, " dim"]:
    """One latent for several, of length 1: the weighted sum of their directions.

    Its cosine with an item is, up to a factor that is the same for all items, the weighted sum of
    the terms' cosines with the item.
    """
    unit = F.normalize(latents, dim=-1)
    return F.normalize(torch.as_tensor(weights).to(unit) @ unit, dim=-1)
