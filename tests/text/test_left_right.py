"""Which sides captions name, and captions of mirror images."""

import pytest

from tmr.text.left_right import SIDES, side_bits, swap_sides


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
    bits = dict(zip(SIDES, side_bits(caption), strict=True))
    assert {side for side, bit in bits.items() if bit and " " not in side} == named


@pytest.mark.parametrize(
    "caption", ["hops on the left leg", "turns clockwise to the RIGHT", "both hands", "a walk"]
)
def test_bits_of_the_mirror_image_are_swapped(caption: str) -> None:
    bits = side_bits(caption)
    swapped = [bit for pair in zip(bits[1::2], bits[::2], strict=True) for bit in pair]
    assert list(side_bits(swap_sides(caption))) == swapped
    assert swap_sides(swap_sides(caption)) == caption


def test_the_order_of_sides_is_told() -> None:
    bits = dict(
        zip(SIDES, side_bits("turns left, kicks right, then left, waves right"), strict=True)
    )
    assert {side for side, bit in bits.items() if bit and " " in side} == {
        "left first",
        "right last",
    }
    assert not any(side_bits("raises both hands")[4:])
