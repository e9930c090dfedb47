"""Texts of any iterable are a list of strings; what is none is named."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tmr.errors import InputError
from tmr.text.inputs import as_texts

WALKS = ["a person walks", "2 < 3, \u201cso\u201d \u8d70"]


def test_every_iterable_of_strings_is_a_list_of_them() -> None:
    for texts in (WALKS, tuple(WALKS), iter(WALKS), np.array(WALKS), dict.fromkeys(WALKS)):
        found = as_texts(texts)
        assert found == WALKS
        assert {type(text) for text in found} == {str}


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("a person walks", "at least one text, found 'a person walks'"),
        (np.str_("walk"), "at least one text, found"),
        (b"walk", "at least one text, found b'walk'"),
        (None, "at least one text, found None"),
        (3, "at least one text, found 3"),
        ([], "at least one text, found none"),
        (iter([]), "at least one text, found none"),
        (["a person walks", " "], "text 2 of 2 is empty"),
        ([1], "text 1 of 1 is a int, expected a string"),
        ([["a person walks"]], "text 1 of 1 is a list, expected a string"),
        (["a", None], "text 2 of 2 is a NoneType"),
        (torch.zeros(2, 3), "text 1 of 2 is a Tensor"),
    ],
)
def test_what_is_no_list_of_texts_is_refused(texts: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        as_texts(texts)


@given(st.lists(st.one_of(st.text(), st.none(), st.integers(), st.binary())))
def test_any_list_gives_its_strings_or_one_line(texts: list[Any]) -> None:
    try:
        assert as_texts(texts) == texts
    except InputError as error:
        assert "\n" not in str(error)
