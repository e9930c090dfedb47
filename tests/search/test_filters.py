import importlib.util

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tmr.errors import InputError
from tmr.search.entry import Entry
from tmr.search.entry import TakeInfo as Info
from tmr.search.filters import parse_filter, quoted
from tmr.search.stores import Header
from tmr.search.stores.memory import MemoryStore

HEADER = Header("takes", "model", "", 4)
ENTRIES = [
    Entry(Info("a", "walks/a.bvh", 120.0, 600, ("a person walks", "left it's"), ("walk",)), 0, 5),
    Entry(Info("b", "walks/b_1.bvh", 30.0, 60, (), ("walk", "slow"), ("test",)), 0, 2),
    Entry(Info("c", "runs/c.bvh", 30.0, 90, ("a run",), (), ("train", "all"), mirrored=True), 0, 3),
    Entry(Info("c2", "runs/cx.bvh", 60.0, 90), 0.5, 1.5, 1.0),
]
CASES = {
    "length > 2 and tag = 'walk'": "a",
    "length >= 2 AND TAG = 'walk'": "a b",
    "tag != 'walk'": "c c2",
    "tag in ('slow', 'x') or split = \"all\"": "b c",
    "not (tag = 'walk' or mirrored = true)": "c2",
    "mirrored != true and fps = 30": "b",
    "contains(caption, 'it''s')": "a",
    "starts_with(caption, 'a ')": "a c",
    "starts_with(file, 'walks/b_')": "b",
    "starts_with(file, 'walks/_')": "",
    "window = 1": "c2",
    "window in (0, 2.5e0)": "a b c",
    "start>.4 and end<=1.5": "c2",
    "key = 'c'": "c",
    "key <> 'c' and frames == 90": "c2",
    "caption = 'a run' and length > 1 or key in ('b')": "b c",
    "  ": "a b c c2",
}


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> list:
    """The same rows in memory and, where it is installed, in Lance."""
    stores: list = [MemoryStore(HEADER)]
    if importlib.util.find_spec("lance") is not None:
        from tmr.search.stores.lance import LanceStore

        stores.append(LanceStore.create(HEADER, tmp_path_factory.mktemp("filters")))
    for store in stores:
        store.replace([], ENTRIES, torch.eye(4))
    return stores


@pytest.mark.parametrize(("text", "expected"), CASES.items())
def test_every_store_lets_the_same_rows_pass(stores, text, expected):
    for store in stores:
        found = store.entries(parse_filter(text))
        assert " ".join(entry.key for entry in found) == expected
        assert store.count(parse_filter(text)) == len(found)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_can_be_compared(text):
    store = MemoryStore(HEADER)
    store.replace([], [Entry(Info(text), 0, 1), Entry(Info(f"{text}'"), 0, 1)], torch.ones(2, 4))
    found = store.entries(parse_filter(f"key = {quoted(text)}"))
    assert [entry.key for entry in found] == [text]


@pytest.mark.parametrize(
    "text", ["'; DROP", "it's \\' or 1=1 --", "%_", "a\\", "日本語 🕺", "\u2028"]
)
def test_text_stays_text_in_every_store(stores, text):
    for store in stores:
        for field in ("key", "tag", "caption"):
            assert store.count(parse_filter(f"{field} = {quoted(text)}")) == 0
            assert store.count(parse_filter(f"contains({field}, {quoted(text)})")) == 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("speed > 2", "unknown field speed; fields: key, file"),
        ("length > 'a'", "length needs a number; found 'a'"),
        ("tag = walk", "tag needs text in quotes, such as tag = 'walk'; found walk"),
        ("tag > 'a'", "tag >: only numbers have an order"),
        ("length > 2 tag = 'a'", "expected and, or, or the end before \"tag = 'a'\""),
        ("(length > 2", "expected ) before 'the end'"),
        ("length >", "length needs a number; found nothing"),
        ("and", "unknown field and"),
        ("length like 2", "expected = != < <= > >= or in before 'like 2'"),
        ("__import__('os')", "unknown field __import__"),
        ("key = 'open", 'cannot read "\'open"'),
        ("mirrored = 1", "mirrored needs true or false; found 1"),
        ("contains(length, '2')", "contains needs one of key, file"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(text, reason):
    with pytest.raises(InputError) as refusal:
        parse_filter(text)
    assert reason in str(refusal.value)


def test_memory_search_agrees_with_sorting_one_row_at_a_time():
    random = np.random.default_rng(0)
    latents = torch.from_numpy(random.normal(size=(50, 4))).float()
    entries = [Entry(Info(f"k{row}", tags=("odd",) * (row % 2)), 0, row) for row in range(50)]
    store = MemoryStore(HEADER)
    store.replace([], entries[:20], latents[:20])
    store.replace(["k3"], entries[20:], latents[20:])
    query = torch.tensor([1.0, 2.0, -1.0, 0.5])
    cosines = torch.nn.functional.cosine_similarity(query[None], latents)
    expected = sorted(set(range(1, 50, 2)) - {3}, key=lambda row: -cosines[row])[:7]
    found = store.search(query, 7, parse_filter("tag = 'odd'"))
    assert [entry.key for _, entry in found] == [f"k{row}" for row in expected]
    assert [c for c, _ in found] == pytest.approx(cosines[expected].tolist(), abs=1e-6)
