from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tmr.errors import InputError
from tmr.search.query import Term, check_sentence, combine, parse_query


@pytest.mark.parametrize(
    ("typed", "terms"),
    [
        ("a person walks - slowly + 2", [("a person walks - slowly + 2", 1)]),
        ('"walk"', [("walk", 1)]),
        ('he says "go"', [('he says "go"', 1)]),
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
        ('"walk" - "walk"', "cancel out"),
        ('"walk" - "turn" - "walk"', "cancel out"),
        ('1e3 "walk"', "cannot read"),
        ('* "walk"', "cannot read"),
        ('101 "walk"', "above 100"),
        ("9" * 400 + '"walk"', "above 100"),
        ("a" * 501, "501 characters; use at most 500"),
        (" + ".join(['"walk"'] * 17), "17 sentences; use at most 16"),
        ("walk \ud83d", "half a character"),
        ('"a" + ' + "1" * 490, "cannot read"),
        ('"a"' + " " * 490 + "x", "cannot read"),
        ("+" * 490 + '"a"', "cannot read"),
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
    sums = Counter[str]()
    for term in terms:
        sums[term.text] += int(term.weight)
    if max(sums.values()) > 0:
        assert parse_query(written) == tuple(terms)
    else:
        with pytest.raises(InputError, match=r"what not to find|cancel out"):
            parse_query(written)


@pytest.mark.parametrize("given", [7, None, True, ["walk"], {"path": "/etc/passwd"}])
def test_what_is_no_text_is_no_sentence(given):
    with pytest.raises(InputError, match=f"found {type(given).__name__}"):
        check_sentence(given)


@pytest.mark.parametrize("weights", [[1.0, float("nan")], [float("inf"), 1.0], [True, 1.0]])
def test_weights_that_are_no_finite_numbers_are_refused(weights):
    with pytest.raises(InputError, match="expected a number"):
        combine(torch.randn(2, 8), weights)


def test_latents_that_cancel_out_have_no_direction():
    with pytest.raises(InputError, match="cancel out"):
        combine(torch.randn(1, 8).repeat(2, 1), [1.0, -1.0])


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
