"""Several encoders as one."""

import torch
import torch.nn.functional as F

from tests.model.toy import SIZES, sequences
from tmr.model import ActorEncoder, EncoderEnsemble


def encoders(features: int) -> list[ActorEncoder]:
    return [ActorEncoder(nfeats=features, **SIZES).eval() for _ in range(3)]


def test_cosines_are_the_mean_of_the_members() -> None:
    torch.manual_seed(0)
    texts, motions = sequences([4, 9, 2], 7), sequences([30, 12, 21], 10)
    of_text, of_motion = encoders(7), encoders(10)
    alone = [
        F.normalize(t(texts).mu, dim=-1) @ F.normalize(m(motions).mu, dim=-1).mT
        for t, m in zip(of_text, of_motion, strict=True)
    ]
    text, motion = EncoderEnsemble(of_text)(texts).mu, EncoderEnsemble(of_motion)(motions).mu
    torch.testing.assert_close(text @ motion.mT, torch.stack(alone).mean(dim=0))
    torch.testing.assert_close(text.norm(dim=-1), torch.ones(3))


def test_it_encodes_behind_its_projection() -> None:
    motions = sequences([30, 12], 10)
    whole = EncoderEnsemble(encoders(10))
    projected = type(motions)(whole.projection(motions.x), motions.lengths)
    assert torch.equal(whole.encode_projected(projected).mu, whole(motions).mu)
