"""How often a model prefers a motion to its mirror image, on latents made by hand."""

import pytest
import torch

from tmr.retrieval import Encoded, Texts
from tmr.retrieval.sides import side_preferences

CAPTIONS = {
    "a": "waves with the left hand",
    "Ma": "waves with the right hand",
    "b": "turns right",
    "Mb": "turns left",
    "c": "jumps",  # its mirror image has the same caption
    "Mc": "jumps",
    "d": "kicks with the left foot",  # without its mirror image
}
ANGLES = {"a": 0, "Ma": 90, "b": 180, "Mb": 270, "c": 20, "Mc": 60, "d": 120}


def latents(angles: list[float]) -> torch.Tensor:
    degrees = torch.deg2rad(torch.tensor([float(a) for a in angles]))
    return torch.stack([degrees.cos(), degrees.sin()], dim=1)


def encoded(texts: dict[str, float], others: Texts | None = None) -> Encoded:
    keys = tuple(CAPTIONS)
    return Encoded(
        keys=keys,
        captions=tuple(CAPTIONS.values()),
        text=latents([texts.get(key, ANGLES[key]) for key in keys]),
        motion=latents([ANGLES[key] for key in keys]),
        sentences=torch.ones(len(keys), 2),
        others=others,
    )


def test_a_model_that_knows_sides_and_one_that_swaps_them() -> None:
    right = side_preferences(encoded({}))
    assert len(right) == 4  # a, b and their mirror images
    assert right.figures() == {"sides/t2m": 100, "sides/m2t": 100}
    assert right.groups.tolist() == [0, 0, 2, 2]
    wrong = side_preferences(encoded({"a": 90, "Ma": 0, "b": 270, "Mb": 180}))
    assert wrong.figures() == {"sides/t2m": 0, "sides/m2t": 0}


def test_a_model_blind_to_sides_is_at_chance() -> None:
    blind = side_preferences(encoded({"a": 45, "Ma": 45, "b": 225, "Mb": 225}))
    assert blind.t2m.tolist() == blind.m2t.tolist() == [0.5] * 4


def test_texts_and_motions_prefer_each_for_themselves() -> None:
    """Both texts of a near a's motion, that of the mirror image nearer."""
    found = side_preferences(encoded({"a": 10, "Ma": 5}))
    assert found.t2m.tolist() == [1, 0, 1, 1]
    assert found.m2t.tolist() == [0, 0, 1, 1]


def test_all_captions_ask_and_whole_recordings_are_drawn() -> None:
    more = ("raises the left arm", "raises the right arm")
    others = Texts(more, torch.tensor([0, 1]), latents([0, 0]))
    found = side_preferences(encoded({}, others))
    assert found.t2m.tolist() == [1, 1, 1, 1, 1, 0]
    assert found.groups.tolist() == [0, 0, 2, 2, 0, 0]
    interval = found.intervals(resamples=200)["sides/t2m"]
    assert interval.value == pytest.approx(100 * 5 / 6)
    assert interval.low == pytest.approx(75)  # of both draws the recording with the error
    assert interval.high == 100


def test_without_pairs_there_is_no_figure() -> None:
    nothing = side_preferences(encoded({}).only(["c", "Mc", "d"]))
    assert len(nothing) == 0
    assert nothing.figures() == nothing.intervals() == {}
