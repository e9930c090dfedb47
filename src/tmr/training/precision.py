"""The precision to train in."""

from collections.abc import Mapping
from typing import Any

import torch

from tmr.device import fastest_precision

LIGHTNING = {"bf16": "bf16-mixed", "fp32": "32-true"}


def with_precision(trainer: Mapping[str, Any]) -> dict[str, Any]:
    """Lightning's options with ``precision: auto`` replaced by what the hardware does fastest.

    That is bfloat16 autocast where ``fastest_precision`` says so, and float32 elsewhere.
    """
    if trainer.get("precision") != "auto":
        return dict(trainer)
    accelerator = trainer.get("accelerator", "auto")
    on_gpu = accelerator in ("gpu", "cuda") or (accelerator == "auto" and torch.cuda.is_available())
    return {**trainer, "precision": LIGHTNING[fastest_precision("cuda" if on_gpu else "cpu")]}
