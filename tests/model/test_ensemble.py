"""Encoders of several trainings as one."""

import torch
import torch.nn.functional as F

from tests.model.toy import SIZES, sequences
from tmr.model import ActorEncoder, EncoderEnsemble


def test_its_cosines_are_the_means_of_those_of_its_members() -> None:
    torch.manual_seed(0)
    ensembles = [EncoderEnsemble(3, nfeats=n, **SIZES).eval() for n in (10, 7)]
    inputs = sequences([9, 4, 6], 10), sequences([5, 2, 3], 7)
    motion, text = (
        F.normalize(ensemble(x).mu, dim=-1) for ensemble, x in zip(ensembles, inputs, strict=True)
    )
    alone = []
    for members in zip(*(ensemble.members for ensemble in ensembles), strict=True):
        one, other = (
            F.normalize(member(x).mu, dim=-1) for member, x in zip(members, inputs, strict=True)
        )
        alone.append(one @ other.mT)
    torch.testing.assert_close(motion @ text.mT, torch.stack(alone).mean(dim=0))
    assert motion.shape == (3, ensembles[0].latent_dim)


def test_an_ensemble_of_one_is_its_member_at_unit_length() -> None:
    torch.manual_seed(0)
    ensemble = EncoderEnsemble(1, nfeats=10, **SIZES).eval()
    (member,) = ensemble.members
    assert isinstance(member, ActorEncoder)
    x = sequences([9, 4], 10)
    torch.testing.assert_close(ensemble(x).mu, F.normalize(member(x).mu, dim=-1))
    torch.testing.assert_close(ensemble(x).logvar, member(x).logvar)
