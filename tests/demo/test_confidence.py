"""How sure a search is, on latents whose neighbors are known."""

from dataclasses import replace

import torch
import torch.nn.functional as F

from tmr.demo import Handlers
from tmr.demo.confidence import FAIR, STRONG, UNRELATED, WEAK, WORDS, Confidence
from tmr.demo.handlers import Limits
from tmr.demo.session import CALIBRATION, Session
from tmr.runs.libraries import library_folder


def unit(*shape: int) -> torch.Tensor:
    return F.normalize(torch.randn(*shape), dim=-1)


def test_a_motion_that_is_nearer_than_any_to_unrelated_sentences_is_strong():
    torch.manual_seed(0)
    latents, unrelated, query = unit(50, 16), unit(200, 16), unit(16)
    best = (unrelated @ latents.mT).amax(dim=-1)
    confidence = Confidence.of(best, unrelated, latents.mean(dim=0))
    stands = sorted(
        2 * max(float(latent @ one) for latent in latents) - float((latents @ one).mean())
        for one in unrelated
    )
    mean = float((latents @ query).mean())

    def level(stand: float) -> str:
        return confidence.level(query, (stand + mean) / 2)

    assert level(stands[-1] + 1e-3) == STRONG
    assert level(stands[int(0.9 * 200)]) == FAIR
    assert level(stands[100]) == WEAK
    assert level(-1.0) == WEAK


def test_the_unrelated_sentences_are_some_hundred_and_differ():
    assert len({*UNRELATED}) == len(UNRELATED) > 100


def test_every_search_says_how_sure_it_is(handlers: Handlers):
    session, limits = handlers.session, Limits("synthetic", top=3)
    for sentence in ("a person walks", UNRELATED[0]):
        value = handlers.search(sentence, limits)
        cosine = 2 * session.main.search(sentence, 1)[0].score - 1
        level = session.confidence("synthetic", session.encode(sentence), cosine)
        assert value["confidence"] == {"level": level, "text": WORDS[level]}
    assert "confidence" not in handlers.browse(limits)


def test_unrelated_sentences_are_encoded_once(handlers: Handlers):
    opened, limits = handlers.session, Limits("synthetic", top=1)
    kept = library_folder(opened.model.run, opened.model.ckpt, "")
    assert kept is not None
    handlers.search("a person walks", limits)
    written = (kept / CALIBRATION).stat().st_mtime_ns
    after_a_restart = replace(handlers, session=Session(opened.model, opened.libraries))
    found = after_a_restart.search("a person walks", limits)
    assert found["confidence"] == handlers.search("a person walks", limits)["confidence"]
    assert (kept / CALIBRATION).stat().st_mtime_ns == written
