"""Small models and batches of random sequences."""

from typing import Any

import torch
from torch import Tensor

from tmr.data import Batch
from tmr.model import TEMOS, TMR, ActorDecoder, ActorEncoder
from tmr.sequences import Packed, pack

SIZES = {"latent_dim": 16, "ff_size": 24, "num_layers": 2, "num_heads": 4, "dropout": 0.1}
WEIGHTS = {"recons": 1.0, "kl": 1e-5, "latent": 1e-5}
# Of a SideAwareTMR without a decoder.
SIDE_AWARE: dict[str, Any] = {
    "motion_decoder": None,
    "loss_weights": {"recons": 0, "kl": 0, "latent": 0, "contrastive": 1.0, "side": 1.0},
    "temperature": 0.1,
    "threshold_selfsim": 0.8,
    "sample_latents": False,
    "side_aware": True,
}


def modules(motion: int, text: int, sizes: dict) -> dict[str, Any]:
    return {
        "motion_encoder": ActorEncoder(nfeats=motion, **sizes),
        "text_encoder": ActorEncoder(nfeats=text, **sizes),
        "motion_decoder": ActorDecoder(nfeats=motion, **sizes),
    }


def temos(sizes: dict = SIZES, motion: int = 10, text: int = 7) -> TEMOS:
    return TEMOS(**modules(motion, text, sizes), loss_weights=WEIGHTS)


def tmr(sizes: dict = SIZES, motion: int = 10, text: int = 7) -> TMR:
    return TMR(
        **modules(motion, text, sizes),
        loss_weights=WEIGHTS | {"contrastive": 0.1},
        temperature=0.1,
        threshold_selfsim=0.8,
    )


def sequences(lengths: list[int], features: int) -> Packed:
    return pack([torch.randn(length, features) for length in lengths])


def batch_of(motion: Packed, text: Packed, sentences: Tensor) -> Batch:
    """A batch whose keys and captions are numbers."""
    numbers = tuple(map(str, range(len(motion))))
    return Batch(numbers, numbers, motion, text, sentences)
