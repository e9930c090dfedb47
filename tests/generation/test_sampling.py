"""Latents to decode: what draws depend on, and where the way between two texts leads."""

import math

import pytest
import torch

from tmr.errors import InputError
from tmr.generation.sampling import between, draw, frames_of_seconds
from tmr.model import Gaussian

TEXTS = ["a person walks", "a person jumps", "a man, é 走る"]


@pytest.fixture
def gaussians() -> Gaussian:
    random = torch.Generator().manual_seed(0)
    return Gaussian(torch.randn(3, 20, generator=random), torch.randn(3, 20, generator=random))


def test_a_factor_of_zero_is_the_mean(gaussians: Gaussian) -> None:
    drawn = draw(TEXTS, gaussians, samples=2, fact=0.0, seed=0)
    assert torch.equal(drawn, gaussians.mu[:, None].expand(3, 2, 20))


def test_draws_have_the_moments_of_the_gaussian_times_the_factor(gaussians: Gaussian) -> None:
    for fact in (1.0, 0.5):
        drawn = draw(TEXTS, gaussians, samples=4000, fact=fact, seed=0)
        sigma = fact * (gaussians.logvar / 2).exp()
        off = (drawn.mean(dim=1) - gaussians.mu) / sigma
        assert off.abs().max() < 5 / math.sqrt(4000)
        assert torch.allclose(drawn.std(dim=1) / sigma, torch.ones(3, 20), atol=0.06)


def test_draws_depend_on_seed_and_text_and_not_on_the_company(gaussians: Gaussian) -> None:
    drawn = draw(TEXTS, gaussians, samples=3, fact=1.0, seed=7)
    again = Gaussian(gaussians.mu[[2, 0]], gaussians.logvar[[2, 0]])
    assert torch.equal(draw([TEXTS[2], TEXTS[0]], again, 2, 1.0, seed=7), drawn[[2, 0], :2])
    assert not torch.isclose(draw(TEXTS, gaussians, 3, 1.0, seed=8), drawn).any()
    noise = (drawn - gaussians.mu[:, None]) / (gaussians.logvar / 2).exp()[:, None]
    flat = noise.flatten(0, 1)
    correlation = torch.corrcoef(flat)[~torch.eye(len(flat), dtype=torch.bool)]
    assert correlation.abs().max() < 0.9, "no two draws share their noise"


def test_the_way_between_two_latents_is_even_and_straight() -> None:
    first, second = torch.tensor([0.0, 2.0]), torch.tensor([4.0, -2.0])
    expected = torch.tensor([[0.0, 2.0], [1.0, 1.0], [2.0, 0.0], [3.0, -1.0], [4.0, -2.0]])
    assert torch.equal(between(first, second, 5), expected)
    both = between(torch.stack([first, second]), torch.stack([second, first]), 5)
    assert torch.equal(both[:, 0], expected)
    assert torch.equal(both[:, 1], expected.flip(0))


def test_seconds_are_frames_at_20_a_second() -> None:
    assert frames_of_seconds([0.5, 4.0, 9.999, 10.0], longest=10.0) == [10, 80, 200, 200]


@pytest.mark.parametrize("seconds", [0.0, 0.49, 10.01, -1.0, math.nan, math.inf])
def test_lengths_that_were_never_trained_are_refused(seconds: float) -> None:
    with pytest.raises(InputError, match=r"seconds=.*: expected 0.5 to 10"):
        frames_of_seconds([4.0, seconds], longest=10.0)


def test_what_cannot_be_drawn_is_refused(gaussians: Gaussian) -> None:
    with pytest.raises(InputError, match="samples=0"):
        draw(TEXTS, gaussians, 0, 1.0, 0)
    for fact in (-0.1, math.nan, math.inf):
        with pytest.raises(InputError, match="fact="):
            draw(TEXTS, gaussians, 1, fact, 0)
    with pytest.raises(InputError, match="steps=1"):
        between(gaussians.mu[0], gaussians.mu[1], 1)
