"""Means over the samples of an epoch, which can stop and go on."""

from collections.abc import Callable, Mapping
from typing import Any

from jaxtyping import Float
from torch import Tensor


class Means:
    """Running means of named values, each value a mean over some samples.

    Lightning's own averages of an epoch are not in its checkpoints, so they would miss what was
    trained before one in mid-epoch.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Begin again."""
        self.sums: dict[str, Float[Tensor, ""]] = {}
        self.count = 0

    def add(self, values: Mapping[str, Float[Tensor, ""]], count: int) -> None:
        """Take in means over ``count`` samples."""
        for name, value in values.items():
            added = count * value.detach().float()
            self.sums[name] = self.sums[name] + added if name in self.sums else added
        self.count += count

    def compute(self) -> dict[str, Float[Tensor, ""]]:
        """The means so far."""
        return {name: total / self.count for name, total in self.sums.items()}

    def state(self, reduce: Callable[[Tensor], Tensor]) -> dict[str, Any]:
        """What a checkpoint keeps; ``reduce`` makes of a tensor its mean over the processes."""
        return {"sums": {n: reduce(s.clone()) for n, s in self.sums.items()}, "count": self.count}

    def load(self, state: Mapping[str, Any], like: Tensor) -> None:
        """Go on from ``state``, on the device of ``like``."""
        self.sums = {name: total.to(like.device) for name, total in state["sums"].items()}
        self.count = state["count"]
