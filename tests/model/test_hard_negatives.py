"""InfoNCE with weighted negatives and those that sides keep, against a loop over queries."""

import math

import pytest
import torch

from tmr.model.losses import ignored_negatives, info_nce
from tmr.text.left_right import side_bits


def loop(logits: torch.Tensor, ignored: torch.Tensor, hardness: float) -> float:
    """One query at a time, the weights as the formula has them."""
    total, n = 0.0, len(logits)
    for rows, left_out in ((logits, ignored), (logits.T, ignored.T)):
        for i in range(n):
            s = [float(x) for x in rows[i]]
            negatives = [j for j in range(n) if j != i and not left_out[i, j]]
            hard = sum(math.exp(hardness * s[j]) for j in negatives)
            denominator = math.exp(s[i])
            for j in negatives:
                weight = len(negatives) * math.exp(hardness * s[j]) / hard
                denominator += weight * math.exp(s[j])
            total -= math.log(math.exp(s[i]) / denominator)
    return total / (2 * n)


@pytest.mark.parametrize("hardness", [0.0, 0.5, 1.0])
def test_the_loss_is_that_of_a_loop(hardness: float) -> None:
    torch.manual_seed(0)
    logits = 3 * torch.randn(6, 6, dtype=torch.double)
    ignored = torch.zeros(6, 6, dtype=torch.bool)
    ignored[0, 1] = ignored[1, 0] = ignored[2, 5] = ignored[5, 2] = True
    found = info_nce(logits, ignored, hardness)
    assert float(found) == pytest.approx(loop(logits, ignored, hardness), rel=1e-9)


@pytest.mark.parametrize("hardness", [0.0, 0.5])
def test_a_query_without_negatives_costs_nothing(hardness: float) -> None:
    logits = torch.randn(3, 3, requires_grad=True)
    everything = ~torch.eye(3, dtype=torch.bool)
    loss = info_nce(logits, everything, hardness)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0, abs=1e-6)
    assert logits.grad is not None
    assert bool(logits.grad.isfinite().all())


def test_captions_that_name_other_sides_stay_negatives() -> None:
    captions = (
        "turns left, then kicks with the right leg",
        "turns right, then kicks with the left leg",
        "turns left and kicks with the right leg",
    )
    sentences = torch.ones(3, 4)  # to the language model, all are the same
    sides = torch.tensor([side_bits(caption) for caption in captions])
    ignored = ignored_negatives(sentences, sides, 0.8)
    assert ignored.tolist() == [[False, False, True], [False, False, False], [True, False, False]]
