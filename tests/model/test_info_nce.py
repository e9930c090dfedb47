"""InfoNCE with weighted negatives, against a loop over queries."""

import math

import pytest
import torch

from tmr.model.info_nce import ignored_negatives, info_nce
from tmr.model.losses import contrastive


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
    assert logits.grad.isfinite().all()


def test_without_hardness_and_sides_it_is_the_loss_of_the_paper() -> None:
    torch.manual_seed(1)
    text, motion, sentences = torch.randn(8, 4), torch.randn(8, 4), torch.randn(8, 3)
    no_sides = torch.zeros(8, 4, dtype=torch.bool)
    ignored = ignored_negatives(sentences, no_sides, 0.6)
    cosine = torch.nn.functional.cosine_similarity(text[:, None], motion[None], dim=-1)
    assert ignored.any()
    torch.testing.assert_close(
        info_nce(cosine / 0.1, ignored), contrastive(text, motion, sentences, 0.1, 0.6)
    )


def test_the_mirrored_caption_stays_a_negative() -> None:
    sentences = torch.ones(3, 4)  # to the language model, all are the same
    sides = torch.tensor([[1, 0, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0]], dtype=torch.bool)
    ignored = ignored_negatives(sentences, sides, 0.8)
    assert ignored.tolist() == [[False, False, True], [False, False, False], [True, False, False]]
