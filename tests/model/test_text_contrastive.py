"""Captions without motions: the term of their pairs."""

import math
from dataclasses import replace

import pytest
import torch

from tests.model.toy import SIDE_AWARE, SIZES, batch_of, modules, sequences
from tmr.data import CaptionPairs
from tmr.errors import InputError
from tmr.model import TextContrastiveTMR

CAPTIONS = (
    ("waves with the left hand", "a left wave"),
    ("waves with the right hand", "a right wave"),
    ("waves with the right hand again", "waves"),
    ("sits down", "takes a seat"),
)
# The first three are nearly the same to the language model; of these, two name the same side.
SENTENCES = torch.tensor([[1.0, 0.0], [1.0, 0.1], [1.0, 0.2], [0.0, 1.0]])
IGNORED = {(1, 2), (2, 1)}


def model() -> TextContrastiveTMR:
    torch.manual_seed(0)
    options = SIDE_AWARE | {"loss_weights": SIDE_AWARE["loss_weights"] | {"text_contrastive": 2.0}}
    return TextContrastiveTMR(**modules(10, 7, SIZES) | options).eval()


def pairs() -> CaptionPairs:
    first, second = sequences([3, 5, 2, 4], 7), sequences([4, 2, 6, 3], 7)
    return CaptionPairs(CAPTIONS, first, second, SENTENCES)


def batch(given: CaptionPairs | None):
    made = batch_of(sequences([6, 8], 10), sequences([3, 4], 7), torch.randn(2, 2))
    return replace(made, pairs=given)


def loop(first: torch.Tensor, second: torch.Tensor) -> float:
    """InfoNCE of cosines / 0.1 both ways, without pairs that are no negatives."""
    total = 0.0
    for queries, answers in ((first, second), (second, first)):
        for i, query in enumerate(queries):
            scores = {
                j: math.exp(float(torch.cosine_similarity(query, answer, dim=0)) / 0.1)
                for j, answer in enumerate(answers)
                if (i, j) not in IGNORED
            }
            total -= math.log(scores[i] / sum(scores.values()))
    return total / (2 * len(first))


def test_the_term_agrees_with_a_loop_and_counts_by_its_weight():
    network, given = model(), pairs()
    losses = network(batch(given)).losses
    first, second = (
        network.encode_text(texts).mu.detach() for texts in (given.first, given.second)
    )
    assert float(losses["text_contrastive"].detach()) == pytest.approx(
        loop(first, second), rel=1e-5
    )
    rest = losses["contrastive"] + losses["side"]
    torch.testing.assert_close(losses["loss"], rest + 2 * losses["text_contrastive"])


def test_it_teaches_the_text_encoder_alone():
    network, given = model(), pairs()
    network(batch(given)).losses["text_contrastive"].backward()
    assert all(p.grad is None for p in network.motion_encoder.parameters())
    assert any(
        p.grad.abs().sum() > 0 for p in network.text_encoder.parameters() if p.grad is not None
    )


def test_without_pairs_it_says_how_to_give_them():
    with pytest.raises(InputError, match="text_pairs=FOLDER"):
        model()(batch(None))
