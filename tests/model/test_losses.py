"""Loss terms against loops, closed forms and torch.distributions."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from tmr.errors import InputError
from tmr.model.gaussian import Gaussian
from tmr.model.losses import check_names, contrastive, kl, kl_terms, same_caption, weigh


def gaussian(seed: int) -> Gaussian:
    torch.manual_seed(seed)
    return Gaussian(torch.randn(5, 8), torch.randn(5, 8))


def normal(g: Gaussian) -> Normal:
    return Normal(g.mu, (g.logvar / 2).exp())


def test_kl_is_that_of_torch_distributions() -> None:
    q, p = gaussian(1), gaussian(2)
    torch.testing.assert_close(kl(q, p), kl_divergence(normal(q), normal(p)).mean())


def test_kl_terms_are_the_four_of_temos() -> None:
    motion, text = gaussian(1), gaussian(2)
    unit = Normal(torch.zeros(5, 8), torch.ones(5, 8))
    pairs = [
        (normal(text), normal(motion)),
        (normal(motion), normal(text)),
        (normal(motion), unit),
        (normal(text), unit),
    ]
    expected = torch.stack([kl_divergence(q, p).mean() for q, p in pairs]).sum()
    torch.testing.assert_close(kl_terms(motion, text), expected)


def test_samples_have_the_mean_and_spread_of_the_gaussian() -> None:
    g = Gaussian(torch.full((50_000, 1), 3.0), torch.full((50_000, 1), math.log(4.0)))
    draws = g.sample(torch.Generator().manual_seed(0))
    assert float(draws.mean()) == pytest.approx(3, abs=0.05)
    assert float(draws.std()) == pytest.approx(2, abs=0.05)
    assert torch.equal(draws, g.sample(torch.Generator().manual_seed(0)))


def loop_contrastive(text, motion, sentences, temperature: float, threshold: float) -> float:
    """InfoNCE one query at a time, in double precision."""
    cosine = torch.nn.functional.cosine_similarity
    total = 0.0
    for queries, gallery in ((text, motion), (motion, text)):
        for i in range(len(queries)):
            kept = []
            for j in range(len(gallery)):
                score = (1 + float(cosine(sentences[i], sentences[j], dim=0))) / 2
                if i == j or score <= threshold:
                    kept.append(float(cosine(queries[i], gallery[j], dim=0)) / temperature)
            match = float(cosine(queries[i], gallery[i], dim=0)) / temperature
            total += math.log(sum(math.exp(k) for k in kept)) - match
    return total / (2 * len(text))


@pytest.mark.parametrize("threshold", [0.0, 0.5, 0.8, 1.0])
def test_contrastive_agrees_with_a_loop(threshold: float) -> None:
    torch.manual_seed(0)
    text, motion, sentences = torch.randn(3, 9, 6, dtype=torch.float64)
    sentences[4] = sentences[2] + 0.1 * sentences[4]
    expected = loop_contrastive(text, motion, sentences, 0.1, threshold)
    measured = contrastive(text, motion, same_caption(sentences, threshold), 0.1)
    assert float(measured) == pytest.approx(expected, rel=1e-5)


def test_equal_captions_are_no_negatives_of_each_other() -> None:
    sentences = torch.tensor([[1.0, 0], [0, 1], [2, 0]])
    pairs = same_caption(sentences, 0.8)
    assert pairs.nonzero().tolist() == [[0, 2], [2, 0]]
    latents = torch.eye(3)
    wrong = latents[[2, 1, 0]]  # the motions of the two equal captions changed places
    assert float(contrastive(latents, latents, pairs, 0.1)) < 1e-3
    assert float(contrastive(latents[:1], wrong[2:], pairs[:1, :1], 0.1)) == 0
    alone = contrastive(latents, wrong, pairs, 0.1)
    with_negatives = contrastive(latents, wrong, same_caption(sentences, 1.0), 0.1)
    assert float(alone) < 1
    assert float(with_negatives) > 5


def test_weigh_sums_the_terms_that_have_a_weight() -> None:
    terms = {
        "recons": torch.tensor(2.0),
        "kl": torch.tensor(3.0),
        "latent": torch.tensor(torch.nan),
    }
    losses = weigh(terms, {"kl": 0.1, "recons": 1.0, "latent": 0.0})
    assert {name: float(value) for name, value in losses.items()} == pytest.approx(
        {"recons": 2.0, "kl": 3.0, "loss": 2.3}
    )


@pytest.mark.parametrize(
    "weights", [{"recons": 1.0}, {"recons": 1.0, "lk": 0.1}, {"recons": 1.0, "kl": 1.0, "x": 1.0}]
)
def test_names_of_weights_must_match_both_ways(weights: dict[str, float]) -> None:
    with pytest.raises(InputError, match="recons"):
        check_names(("recons", "kl"), weights)
