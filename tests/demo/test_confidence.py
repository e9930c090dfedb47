"""How sure a search is, on latents whose neighbors are known."""

import torch
import torch.nn.functional as F

from tmr.demo import Handlers
from tmr.demo.confidence import FAIR, STRONG, UNRELATED, WEAK, WORDS, Confidence
from tmr.demo.handlers import Limits


def unit(*shape: int) -> torch.Tensor:
    return F.normalize(torch.randn(*shape), dim=-1)


def test_a_motion_that_is_nearer_than_any_to_unrelated_sentences_is_strong():
    torch.manual_seed(0)
    latents, unrelated = unit(50, 16), unit(200, 16)
    best = [max(float(latent @ query) for latent in latents) for query in unrelated]
    confidence = Confidence.of(torch.tensor(best))
    assert confidence.level(max(best) + 1e-3) == STRONG
    assert confidence.level(sorted(best)[185]) == FAIR
    assert confidence.level(sorted(best)[100]) == WEAK
    assert confidence.level(-1.0) == WEAK


def test_the_unrelated_sentences_are_some_hundred_and_differ():
    assert len({*UNRELATED}) == len(UNRELATED) > 100


def test_every_search_says_how_sure_it_is(handlers: Handlers):
    session, limits = handlers.session, Limits("synthetic", top=3)
    for sentence in ("a person walks", UNRELATED[0]):
        value = handlers.search(sentence, limits)
        cosine = 2 * session.main.search(sentence, 1)[0].score - 1
        level = session.confidence("synthetic", cosine)
        assert value["confidence"] == {"level": level, "text": WORDS[level]}
    assert "confidence" not in handlers.browse(limits)
