"""The head that reads sides from latents, and its loss against a loop."""

import math
from dataclasses import replace

import pytest
import torch

from tests.model.toy import SIDE_AWARE, SIZES, batch_of, modules, sequences
from tmr.model import SideAwareTMR
from tmr.model.sides import NUM_SIDES, NUM_UNORDERED, SideHead, side_loss
from tmr.text.left_right import SIDES, side_bits


def test_the_head_has_a_logit_for_each_side() -> None:
    assert len(SIDES) == NUM_SIDES == SideHead(4)(torch.randn(2, 4)).shape[1]


def loop(text: torch.Tensor, motion: torch.Tensor, sides: torch.Tensor) -> float:
    total, count = 0.0, 0
    for i in range(len(sides)):
        for group in ((0, 1), (2, 3), (4, 5), (6, 7)):
            if not any(sides[i, b] for b in group):
                continue
            for b in group:
                count += 1
                for logits in (text, motion):
                    p = 1 / (1 + math.exp(-float(logits[i, b])))
                    total -= math.log(p if sides[i, b] else 1 - p)
    return total / count


def test_only_named_groups_count() -> None:
    torch.manual_seed(0)
    text, motion = torch.randn(4, 8), torch.randn(4, 8)
    captions = ("turns left", "jumps", "left, right, left, counterclockwise", "goes clockwise")
    sides = torch.tensor([side_bits(caption) for caption in captions])
    found = float(side_loss(text, motion, sides))
    assert found == pytest.approx(loop(text, motion, sides), rel=1e-5)
    silent = text.clone()
    silent[1] = 100  # the caption that names no side
    silent[0, 2:4] = -100  # it names no turn
    assert float(side_loss(silent, motion, sides)) == pytest.approx(found, rel=1e-6)


def test_without_sides_the_loss_is_zero_and_every_weight_has_a_gradient() -> None:
    head = SideHead(8)
    loss = side_loss(
        head(torch.randn(3, 8)), head(torch.randn(3, 8)), torch.zeros(3, 8, dtype=torch.bool)
    )
    loss.backward()
    assert float(loss.detach()) == 0
    assert all(p.grad is not None and bool((p.grad == 0).all()) for p in head.parameters())


def test_the_length_of_latents_does_not_matter() -> None:
    head, latents = SideHead(8), torch.randn(3, 8)
    torch.testing.assert_close(head(latents), head(7 * latents))


@pytest.mark.parametrize(("order", "ignored"), [(True, False), (False, True)])
def test_without_order_the_same_sides_in_another_order_are_no_negative(
    order: bool, ignored: bool
) -> None:
    torch.manual_seed(0)
    model = SideAwareTMR(**modules(10, 7, SIZES) | SIDE_AWARE, side_order=order)
    captions = ("turns left, then kicks right", "turns right, then kicks left")
    batch = replace(
        batch_of(sequences([9, 4], 10), sequences([5, 2], 7), torch.ones(2, 12)), captions=captions
    )
    losses = model.eval()(batch).losses
    # Its one negative ignored, a query is sure of its positive.
    assert (losses["contrastive"] == 0) == ignored
    assert model.side_head(torch.randn(2, 16)).shape == (2, 8 if order else 4)
    sides = torch.tensor([side_bits(caption) for caption in captions])
    assert torch.equal(sides[0, :NUM_UNORDERED], sides[1, :NUM_UNORDERED])
    assert not torch.equal(sides[0], sides[1])
