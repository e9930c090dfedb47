"""The picture of a confusion matrix."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from tmr.io import atomic_path

_TEXT, _FAINT = "#212529", "#868e96"
_NUMBERED = 30  # labels up to which the cells show their percentage


def draw_confusion(
    path: Path | str,
    confusion: Float[np.ndarray, "labels labels"],
    labels: Sequence[str],
    title: str,
) -> None:
    """Write a PNG (or SVG, PDF, by the suffix): true labels down, predictions across, in percent
    of each row. Labels that no motion has get no row."""
    # Importing matplotlib takes a second, which only those who draw should pay.
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    kept = np.flatnonzero(confusion.sum(axis=1)).tolist()
    percent = 100 * confusion[kept] / confusion[kept].sum(axis=1, keepdims=True)
    cell = 0.5 if len(labels) <= _NUMBERED else 0.16
    figure = Figure(
        figsize=(2.6 + cell * len(labels), 2.3 + cell * len(kept)), layout="constrained"
    )
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.imshow(percent, cmap="Blues", vmin=0, vmax=100, aspect="equal")
    size = 9 if len(labels) <= _NUMBERED else 6
    axes.set_xticks(range(len(labels)), labels, rotation=90, fontsize=size, color=_TEXT)
    axes.set_yticks(range(len(kept)), np.array(labels)[kept].tolist(), fontsize=size, color=_TEXT)
    axes.set_xlabel("recognized as", color=_FAINT, fontsize=9)
    axes.set_ylabel("true label", color=_FAINT, fontsize=9)
    axes.set_title(title, fontsize=11, color=_TEXT, loc="left")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    if len(labels) <= _NUMBERED:
        for (row, column), value in np.ndenumerate(percent):
            if value >= 0.5:
                color = "white" if value > 55 else _TEXT
                axes.text(
                    column, row, f"{value:.0f}", ha="center", va="center", color=color, fontsize=8
                )
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120)
