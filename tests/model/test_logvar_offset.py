"""The offset of logvar: where it acts, and that training sees it as evaluation does."""

import copy

import pytest
import torch

from tests.model.toy import batch_of
from tmr.model import TEMOS, ActorDecoder, ActorEncoder
from tmr.model.losses import kl_terms
from tmr.sequences import pack

SIZES = {"latent_dim": 16, "ff_size": 24, "num_layers": 2, "num_heads": 4, "dropout": 0.0}
MOTION = pack([torch.randn(n, 10, generator=torch.Generator().manual_seed(n)) for n in (9, 4, 6)])
TEXT = pack([torch.randn(n, 7, generator=torch.Generator().manual_seed(n)) for n in (5, 2, 3)])


@pytest.fixture
def model() -> TEMOS:
    """A model whose encoders have an offset of -3."""
    torch.manual_seed(0)
    return TEMOS(
        ActorEncoder(10, **SIZES, logvar_offset=-3.0),
        ActorEncoder(7, **SIZES, logvar_offset=-3.0),
        ActorDecoder(10, **SIZES),
        {"recons": 1.0, "kl": 1e-5, "latent": 1e-5},
    )


def test_it_shifts_the_logarithm_of_the_variance_and_nothing_else(model: TEMOS) -> None:
    plain = copy.deepcopy(model.motion_encoder)
    assert isinstance(plain, ActorEncoder)
    plain.logvar_offset = 0.0
    shifted, expected = model.encode_motion(MOTION), plain(MOTION)
    assert torch.equal(shifted.mu, expected.mu)
    assert torch.allclose(shifted.logvar, expected.logvar - 3)
    assert not any("offset" in name for name in plain.state_dict()), "files stay as published"


def test_training_sees_it_as_evaluation_does(model: TEMOS) -> None:
    expected = kl_terms(model.encode_motion(MOTION), model.encode_text(TEXT))
    for mode in (True, False):
        losses = model.train(mode)(batch_of(MOTION, TEXT, torch.zeros(3, 4))).losses
        torch.testing.assert_close(losses["kl"], expected, rtol=1e-4, atol=1e-4)
