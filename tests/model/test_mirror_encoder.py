"""An encoder whose latents change in a known way when a motion is mirrored."""

import pytest
import torch
import torch.nn.functional as F

from tests.model.toy import SIZES, sequences
from tmr.errors import InputError
from tmr.model import ActorEncoder, EncoderEnsemble, MirrorEncoder
from tmr.motion.features import MIRRORED_COLUMNS, MIRRORED_SIGNS, NUM_FEATURES
from tmr.sequences import Packed

ODD = 5


def mirrored(motion: Packed) -> Packed:
    """The mirror images of normalized motions."""
    return Packed(motion.x[:, MIRRORED_COLUMNS] * torch.from_numpy(MIRRORED_SIGNS), motion.lengths)


def encoder() -> MirrorEncoder:
    torch.manual_seed(0)
    return MirrorEncoder(nfeats=NUM_FEATURES, odd=ODD, **SIZES).eval()


@torch.no_grad()
def test_the_mirror_image_has_the_same_latent_but_for_the_sign_of_the_odd_part() -> None:
    made, motion = encoder(), sequences([9, 4, 6], NUM_FEATURES)
    own, image = made(motion).mu, made(mirrored(motion)).mu
    torch.testing.assert_close(image[:, :-ODD], own[:, :-ODD])
    torch.testing.assert_close(image[:, -ODD:], -own[:, -ODD:])
    assert own[:, -ODD:].abs().min() > 1e-4
    torch.testing.assert_close(made(mirrored(motion)).logvar, made(motion).logvar)


@torch.no_grad()
def test_it_is_half_the_sum_and_half_the_difference_of_an_encoder_with_its_weights() -> None:
    made, motion = encoder(), sequences([9, 4, 6], NUM_FEATURES)
    plain = ActorEncoder(nfeats=NUM_FEATURES, **SIZES).eval()
    plain.load_state_dict(made.state_dict())
    own, image = plain(motion).mu, plain(mirrored(motion)).mu
    expected = torch.cat([(own + image)[:, :-ODD], (own - image)[:, -ODD:]], dim=1) / 2
    torch.testing.assert_close(made(motion).mu, expected)


@torch.no_grad()
def test_an_ensemble_of_them_is_that_of_its_members() -> None:
    torch.manual_seed(0)
    ensemble = EncoderEnsemble(2, nfeats=NUM_FEATURES, odd=ODD, **SIZES).eval()
    motion = sequences([9, 4], NUM_FEATURES)
    parts = [F.normalize(member(motion).mu, dim=-1) for member in ensemble.members]
    torch.testing.assert_close(ensemble(motion).mu, torch.cat(parts, dim=1))


@pytest.mark.parametrize(("nfeats", "odd"), [(10, 5), (NUM_FEATURES, 0), (NUM_FEATURES, 16)])
def test_other_features_and_latents_without_a_part_are_refused(nfeats: int, odd: int) -> None:
    with pytest.raises(InputError, match=r"expected nfeats=263 and 1 to 15 for odd"):
        MirrorEncoder(nfeats=nfeats, odd=odd, **SIZES)
