"""A step whose loss or gradients are not finite: what is kept of it, and its error."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from tmr.data import Batch
from tmr.errors import InputError
from tmr.io import save_pickle

NAMED = 8  # motions that the message names


@dataclass(frozen=True, slots=True)
class Failure:
    """What makes the step again: batch, weights before it, and the seed of its random numbers.

    Epoch and step count from zero; ``losses`` are by name, ``gradient_norm`` is over all weights.
    """

    batch: Batch
    epoch: int
    step: int
    seed: int
    losses: dict[str, float]
    gradient_norm: float

    def save(self, folder: Path, process_rank: int, model: nn.Module) -> Path:
        """Write it, for ``torch.load(weights_only=True)``; each process writes its own batch."""
        path = folder / f"epoch_{self.epoch}_step_{self.step}_process_{process_rank}.pt"
        batch = self.batch.to("cpu")
        content: dict[str, Any] = {
            "keys": list(batch.keys),
            "captions": list(batch.captions),
            "motion": batch.motion.x,
            "motion_lengths": list(batch.motion.lengths),
            "text": batch.text.x,
            "text_lengths": list(batch.text.lengths),
            "sentences": batch.sentences,
            "pairs": [list(pair) for pair in batch.pairs.captions] if batch.pairs else [],
            "epoch": self.epoch,
            "step": self.step,
            "seed": self.seed,
            "losses": self.losses,
            "gradient_norm": self.gradient_norm,
            "state_dict": {name: tensor.cpu() for name, tensor in model.state_dict().items()},
        }
        save_pickle(path, content)
        return path

    def error(self, path: Path) -> InputError:
        """One line: what is not finite, for which motions, where it is kept, what to try."""
        values = ", ".join(f"{name} {value:.4g}" for name, value in self.losses.items())
        keys = self.batch.keys
        more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
        return InputError(
            f"epoch {self.epoch + 1}, step {self.step + 1}: loss or gradients are not finite "
            f"({values}; norm of the gradients {self.gradient_norm:.4g}) for the motions "
            f"{', '.join(keys[:NAMED])}{more}; this batch and the weights before the step are in "
            f"{path}; look at these motions with `python -m prepare.check`, or train with a "
            "smaller lr"
        )
