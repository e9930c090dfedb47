"""Pairs of captions drawn from a data set's split."""

from pathlib import Path

import pytest

from tests.training.toy import cache_of, data_in
from tmr.data import CaptionPool
from tmr.errors import InputError
from tmr.io import write_json, write_text


@pytest.fixture
def annotations(tmp_path: Path) -> Path:
    data = data_in(tmp_path)
    texts = {
        "a": ["walks", "strolls", "walks"],
        "b": ["sits down", "takes a seat"],
        "c": ["jumps"],
        "d": ["runs", "jogs"],
    }
    entries = {
        key: {
            "path": key,
            "duration": 3.0,
            "annotations": [
                {"seg_id": f"{key}{i}", "text": text, "start": 0.0, "end": 3.0}
                for i, text in enumerate(some)
            ],
        }
        for key, some in texts.items()
    }
    folder = Path(data.annotations)
    write_json(folder / "annotations.json", entries)
    write_text(folder / "splits" / "train.txt", "a\nb\nc")
    write_text(folder / "splits" / "val.txt", "c")
    return folder


def pool(annotations: Path, split: str) -> CaptionPool:
    return CaptionPool.of_split(annotations, split, cache_of(data_in(annotations.parents[2])))


def test_pairs_are_two_captions_of_one_motion_of_the_split(annotations):
    found = pool(annotations, "train")
    drawn = {frozenset(pair) for seed in range(20) for pair in found.draw(2, seed)}
    assert drawn == {frozenset(("walks", "strolls")), frozenset(("sits down", "takes a seat"))}
    assert found.draw(2, 7) == found.draw(2, 7)
    assert len({tuple(found.draw(2, seed)) for seed in range(20)}) > 2  # orders differ
    assert all(len({frozenset(pair) for pair in found.draw(2, seed)}) == 2 for seed in range(9))


def test_a_model_takes_their_token_states_and_sentences(annotations):
    found = pool(annotations, "train")
    pairs = found.pairs([("walks", "strolls"), ("turns left", "a left turn")])
    assert len(pairs) == len(pairs.first) == len(pairs.second) == 2
    assert pairs.sentences.shape == (2, 384)
    assert pairs.sides.any(dim=1).tolist() == [False, True]


def test_a_split_without_two_captions_is_refused(annotations):
    with pytest.raises(InputError, match=r"none of the 1 motions of the split 'val'.*text_pairs="):
        pool(annotations, "val")
