"""Which sides captions name, and captions of mirror images."""

import pytest

from tmr.text.left_right import SIDES, names_a_side, side_bits, swap_sides


@pytest.mark.parametrize(
    ("caption", "named"),
    [
        ("a person waves with the left hand", {"left"}),
        ("turns Right, then leftwards", {"left", "right"}),
        ("walks in a clockwise circle", {"clockwise"}),
        ("turns counter-clockwise", {"counterclockwise"}),
        ("spins anticlockwise and kicks with his right foot", {"counterclockwise", "right"}),
        ("raises both hands", {"left", "right"}),
        ("lifts both of his arms", {"left", "right"}),
        ("waves the left hand, then lifts both arms", {"left"}),
        ("stands upright and straightens", set()),
        ("both people walk", set()),
    ],
)
def test_sides_that_a_caption_names(caption: str, named: set[str]) -> None:
    assert {side for side, bit in zip(SIDES, side_bits(caption), strict=True) if bit} == named


@pytest.mark.parametrize(
    "caption", ["hops on the left leg", "turns clockwise to the RIGHT", "both hands", "a walk"]
)
def test_bits_of_the_mirror_image_are_swapped(caption: str) -> None:
    left, right, clockwise, counterclockwise = side_bits(caption)
    assert side_bits(swap_sides(caption)) == (right, left, counterclockwise, clockwise)
    assert swap_sides(swap_sides(caption)) == caption


def test_only_captions_that_change_in_the_mirror_name_a_side() -> None:
    assert names_a_side("turns left")
    assert not names_a_side("raises both hands")
