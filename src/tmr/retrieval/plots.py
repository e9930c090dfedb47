"""Pictures of what the protocols found: recalls, ranks, similarities and the worst queries."""

import itertools
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from tmr.io import atomic_path
from tmr.retrieval.metrics import cosine_similarity, hit_probability, shown_score
from tmr.retrieval.protocols import WAYS, Encoded, Outcome, Ranking
from tmr.retrieval.report import WAY_NAMES

WAY_COLORS = {"t2m": "#2878b5", "m2t": "#e07a1f"}
PROTOCOL_LINES = (("#2878b5", "-"), ("#e07a1f", "-"), ("#2a9d8f", "--"), ("#8e5ea2", "-"))
FAINT = "#868e96"
RANK_ENDS = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10**4, 10**5, 10**6)
LONGEST_CURVE = 100
WORST = 20


def draw(
    folder: Path, outcomes: Mapping[str, Outcome], splits: Mapping[str, Encoded]
) -> list[Path]:
    """Write the pictures that the outcomes allow as PNG files into ``folder``; their paths.

    ``splits`` are the encoded splits by the names that the protocols give them.
    """
    figures: dict[str, Any] = {"recall_curve": recall_curve(outcomes)}
    if "normal" in outcomes:
        figures["rank_histogram"] = rank_histogram(outcomes["normal"])
        figures["worst_queries"] = worst_queries(outcomes["normal"].rankings["t2m"][0])
    if "nsim_test" in splits:
        figures["similarity_nsim"] = similarity_matrix(splits["nsim_test"])
    paths = []
    for name, figure in figures.items():
        paths.append(folder / f"{name}.png")
        with atomic_path(paths[-1]) as temporary:
            figure.savefig(temporary, dpi=120, facecolor="white")
    return paths


def recall_curve(outcomes: Mapping[str, Outcome]) -> Any:
    """Figure of the tie-safe R@k for k up to 100, one line for each protocol over whole splits.

    Galleries of other sizes do not share an axis: guo and nsim are left out where there are others.
    """
    shown = {name: o for name, o in outcomes.items() if name not in ("nsim", "guo")} or outcomes
    figure, axes = _figure(9.5, 4.2, columns=2, sharey=True)
    for panel, way in zip(axes, WAYS, strict=True):
        for (color, dashes), (name, outcome) in zip(PROTOCOL_LINES, shown.items(), strict=False):
            placement = outcome.joined(way, "tie_safe")
            longest = min(LONGEST_CURVE, len(placement.better))
            ks = np.unique(np.geomspace(1, longest, 30).round().astype(int))
            recalls = [100 * float(hit_probability(placement, int(k)).mean()) for k in ks]
            panel.plot(ks, recalls, dashes, color=color, label=name, linewidth=1.8)
        panel.set_xscale("log")
        panel.set_xticks(
            [1, 2, 3, 5, 10, 20, 50, 100], ["1", "2", "3", "5", "10", "20", "50", "100"]
        )
        panel.minorticks_off()
        panel.set(xlabel="k", title=WAY_NAMES[way], ylim=(0, 102), xlim=(1, LONGEST_CURVE))
        panel.grid(color="#e9ecef")
    axes[0].set_ylabel("R@k in percent, tie-safe")
    axes[1].legend(frameon=False, loc="lower right")
    return figure


def rank_histogram(outcome: Outcome) -> Any:
    """Figure of the share of queries in each class of ranks (from one, mean of ties), both ways."""
    figure, (axes,) = _figure(8.0, 3.8)
    ranks = {way: outcome.joined(way, "tie_safe").ranks.numpy() + 1 for way in WAYS}
    worst = max(found.max() for found in ranks.values())
    ends = [end for end, before in zip(RANK_ENDS, (0, *RANK_ENDS), strict=False) if before < worst]
    names = [f"{a + 1}-{b}" if b > a + 1 else f"{b}" for a, b in itertools.pairwise([0, *ends])]
    for offset, (way, found) in zip((-0.2, 0.2), ranks.items(), strict=True):
        counts, _ = np.histogram(np.ceil(found), bins=np.array([0, *ends]) + 0.5)
        label = f"{WAY_NAMES[way]}, median {np.median(found):g}"
        places = np.arange(len(ends)) + offset
        bars = axes.bar(places, 100 * counts / len(found), 0.38, color=WAY_COLORS[way], label=label)
        axes.bar_label(bars, fmt="%.0f", fontsize=8, color=FAINT)
    axes.set_xticks(range(len(ends)), names)
    axes.set(xlabel="rank of the right answer", ylabel="percent of the queries")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure


def similarity_matrix(encoded: Encoded) -> Any:
    """Figure of the scores (1 + cosine) / 2 of every text with every motion of a split."""
    scores = shown_score(cosine_similarity(encoded.text, encoded.motion)).numpy()
    figure, (axes,) = _figure(6.4, 5.4)
    image = axes.imshow(scores, cmap="viridis", interpolation="nearest")
    axes.set(xlabel="motion", ylabel="text", title=f"score of {len(scores)} dissimilar captions")
    figure.colorbar(image, ax=axes, shrink=0.85)
    return figure


def worst_queries(ranking: Ranking, count: int = WORST) -> Any:
    """Figure that lists the texts whose motion stood furthest behind, and what stood first."""
    ranks = ranking.tie_safe.ranks
    worst = ranks.argsort(descending=True, stable=True)[:count].tolist()
    cells = [
        [
            f"{float(ranks[i]) + 1:g}",
            _lines(ranking.captions[i]),
            _score(ranking.original.best[i]),
            _lines(ranking.retrieved_captions[i]),
            _score(ranking.top[i]),
        ]
        for i in worst
    ]
    heading = [
        "rank",
        "text that asks",
        "score of\nits motion",
        "motion found instead",
        "its\nscore",
    ]
    rows = [heading, *cells]
    lines = [max(cell.count("\n") + 1 for cell in row) + 0.7 for row in rows]
    figure, (axes,) = _figure(11.5, 0.165 * sum(lines))
    axes.axis("off")
    axes.set(xlim=(0, 1), ylim=(sum(lines), 0))
    for row, top in zip(rows, np.cumsum([0, *lines[:-1]]), strict=True):
        for x, text in zip((0.0, 0.05, 0.455, 0.54, 0.945), row, strict=True):
            weight = "bold" if row is heading else "normal"
            axes.text(x, top + 0.35, text, va="top", fontsize=8.5, fontweight=weight)
        if row is not heading:
            axes.axhline(top, color="#dee2e6", linewidth=0.6)
    return figure


def _score(cosine: Float[Any, ""]) -> str:
    return f"{(float(cosine) + 1) / 2:.3f}"


def _lines(text: str) -> str:
    return "\n".join(textwrap.wrap(text.replace("$", r"\$"), 62, max_lines=3, placeholder=" ..."))


def _figure(width: float, height: float, columns: int = 1, **options: Any) -> tuple[Any, Any]:
    """A figure in inches and its panels, left to right; no window, no global state."""
    # Importing matplotlib takes a second, which only those who draw should pay.
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(1, columns, squeeze=False, **options)[0]
