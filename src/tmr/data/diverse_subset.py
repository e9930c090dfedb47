"""A subset of captions that differ from each other as much as possible."""

import numpy as np
from jaxtyping import Float


def farthest_points(vectors: Float[np.ndarray, "n dim"], count: int) -> list[int]:
    """Up to ``count`` rows, each the farthest (by cosine) from those before it, in that order.

    The first is the row least like the mean of all; the next is always the one whose nearest
    chosen row is farthest away (Gonzalez, 1985: at most twice the best possible radius). Equal
    rows are chosen once. Ties go to the lower index, so the choice depends on nothing but the
    rows and their order, and the first k of n are the choice for k.
    """
    unit = vectors.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    chosen = [int(np.argmin(unit @ unit.mean(axis=0)))]
    nearest = unit @ unit[chosen[0]]
    while len(chosen) < min(count, len(unit)):
        farthest = int(np.argmin(nearest))
        if nearest[farthest] > 1 - 1e-6:  # only repetitions are left
            break
        chosen.append(farthest)
        nearest = np.maximum(nearest, unit @ unit[farthest])
    return chosen
