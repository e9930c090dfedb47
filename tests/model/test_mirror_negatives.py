"""Mirror images of the batch's motions as negatives, against a loop over queries."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from tests.model.test_mirror_encoder import mirrored
from tests.model.toy import SIDE_AWARE, SIZES, batch_of, modules, sequences
from tmr.data import Batch
from tmr.errors import InputError
from tmr.model import ActorEncoder, MirrorEncoder, SideAwareTMR
from tmr.model.losses import ignored_images
from tmr.motion.features import NUM_FEATURES
from tmr.text.left_right import side_bits, swap_sides

CAPTIONS = (
    "turns left, then kicks with the right leg",
    "turns right, then kicks with the left leg",
    "walks forward",
    "waves both hands",
)
LATENT = SIZES | {"dropout": 0.0}


def model(**options: Any) -> SideAwareTMR:
    torch.manual_seed(0)
    parts: dict[str, Any] = modules(NUM_FEATURES, 7, LATENT) | {
        "motion_encoder": MirrorEncoder(nfeats=NUM_FEATURES, odd=5, **LATENT)
    }
    return SideAwareTMR(**parts | SIDE_AWARE | options)


def batch() -> Batch:
    torch.manual_seed(1)
    made = batch_of(
        sequences([9, 4, 6, 5], NUM_FEATURES), sequences([3, 2, 4, 3], 7), torch.randn(4, 384)
    )
    return Batch(made.keys, CAPTIONS, made.motion, made.text, made.sentences)


def test_what_says_the_same_as_the_swapped_caption_is_no_negative() -> None:
    ignored = ignored_images(
        torch.ones(4, 384),  # to the language model, all are the same
        torch.tensor([side_bits(caption) for caption in CAPTIONS]),
        0.8,
    )
    expected = [[side_bits(a) == side_bits(swap_sides(b)) for b in CAPTIONS] for a in CAPTIONS]
    assert ignored.tolist() == expected
    assert ignored.diagonal().tolist() == [False, False, True, True]
    apart = ignored_images(
        torch.eye(4), torch.tensor([side_bits(caption) for caption in CAPTIONS]), 0.8
    )
    assert apart.tolist() == torch.diag(torch.tensor([False, False, True, True])).tolist()


@torch.no_grad()
def test_the_loss_is_that_of_a_loop_over_motions_and_their_mirror_images() -> None:
    made, given = model(mirror_negatives=True, hardness=0.5), batch()
    found = float(made(given).losses["contrastive"])
    text = F.normalize(made.encode_text(given.text).mu, dim=-1)
    own = F.normalize(made.encode_motion(given.motion).mu, dim=-1)
    image = F.normalize(made.encode_motion(mirrored(given.motion)).mu, dim=-1)
    total = 0.0
    for i in range(4):
        # By caption: all motions, and the images of those whose swapped caption says another thing.
        from_text = [text[i] @ own[j] for j in range(4) if j != i]
        from_text += [text[i] @ image[j] for j in range(4) if j != i or i in (0, 1)]
        from_motion = [text[j] @ own[i] for j in range(4) if j != i]
        from_motion += [text[j] @ image[i] for j in range(4) if j != i or i in (0, 1)]
        right = float(text[i] @ own[i]) / 0.1
        for cosines in (from_text, from_motion):
            logits = [float(cosine) / 0.1 for cosine in cosines]
            hard = sum(math.exp(0.5 * logit) for logit in logits)
            weighted = [len(logits) * math.exp(0.5 * s) / hard * math.exp(s) for s in logits]
            total -= math.log(math.exp(right) / (math.exp(right) + sum(weighted))) / 8
    assert found == pytest.approx(total, rel=1e-4)
    assert found > float(model(hardness=0.5)(given).losses["contrastive"])


def test_an_encoder_that_does_not_know_the_mirror_is_refused() -> None:
    plain = {"motion_encoder": ActorEncoder(nfeats=NUM_FEATURES, **SIZES)}
    with pytest.raises(InputError, match="mirror_negatives=false"):
        model(**plain, mirror_negatives=True)
