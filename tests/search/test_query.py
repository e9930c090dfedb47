import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tmr.errors import InputError
from tmr.search.query import Term, combine, parse_query


@pytest.mark.parametrize(
    ("typed", "terms"),
    [
        ("a person walks - slowly + 2", [("a person walks - slowly + 2", 1)]),
        ('"walk"', [("walk", 1)]),
        ('"walk" + "angry" - "turn"', [("walk", 1), ("angry", 1), ("turn", -1)]),
        ('2 "walk" - 0.5*"turn left"', [("walk", 2), ("turn left", -0.5)]),
        ('- "turn"+.5"walk"', [("turn", -1), ("walk", 0.5)]),
        ("“walk” + „angry”", [("walk", 1), ("angry", 1)]),
    ],
)
def test_queries_are_read_as_people_type_them(typed, terms):
    assert parse_query(typed) == tuple(Term(*term) for term in terms)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("  ", "empty sentence"),
        ('"walk" + ""', "empty sentence"),
        ('"walk" "angry"', "cannot read"),
        ('"walk" and "angry"', "cannot read"),
        ('"walk" + angry', "cannot read"),
        ('"walk', "cannot read"),
        ('- "turn"', "only says what not to find"),
        ('0 "walk"', "only says what not to find"),
    ],
)
def test_what_is_no_query_is_refused(typed, message):
    with pytest.raises(InputError, match=message):
        parse_query(typed)


words = st.text(st.characters(exclude_characters='"“”„«»'), min_size=1).filter(
    lambda text: text == text.strip() and text.isprintable()
)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(words, st.integers(1, 9), st.booleans()), min_size=1, max_size=4))
def test_what_is_written_as_a_query_is_read_back(parts):
    terms = [Term(text, -weight if minus else weight) for text, weight, minus in parts]
    written = " ".join(f'{"-" if t.weight < 0 else "+"} {abs(t.weight)} "{t.text}"' for t in terms)
    if any(term.weight > 0 for term in terms):
        assert parse_query(written) == tuple(terms)


def test_items_rank_by_the_weighted_sum_of_their_cosines():
    terms, items = torch.randn(3, 16), torch.randn(40, 16)
    weights = [1.0, 0.5, -0.7]
    summed = sum(
        weight * torch.cosine_similarity(term[None], items, dim=-1)
        for weight, term in zip(weights, terms, strict=True)
    )
    combined = torch.cosine_similarity(combine(terms, weights)[None], items, dim=-1)
    assert isinstance(summed, torch.Tensor)
    assert torch.equal(combined.argsort(), summed.argsort())


def test_one_term_is_its_own_direction():
    term = torch.randn(1, 16)
    torch.testing.assert_close(combine(4 * term, [2.0]), term[0] / term.norm())
