"""Trainings beside each other: `python benchmarks/curves.py PICTURE.png "NAME=RUN_DIR" ...`.

Draws loss, R@k and sides after every epoch, one color a run, from metrics.csv of the run folders.
"""

import argparse
import csv
import math
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
from matplotlib.ticker import MaxNLocator

COLORS = ("#2878b5", "#e07a1f", "#2a9d8f", "#8e5ea2")
RECALLS = (1, 3, 10)


def main() -> None:
    """Draw, and print the last epoch that all runs have."""
    parser = argparse.ArgumentParser(description="Trainings beside each other.")
    parser.add_argument("picture", type=Path, help="PNG file to write")
    parser.add_argument("runs", nargs="+", metavar="NAME=RUN_DIR")
    given = parser.parse_args()
    runs = {}
    for run in given.runs:
        name, _, folder = run.rpartition("=")
        runs[name or Path(folder).name] = read(Path(folder))
    draw(runs, given.picture)
    epoch = min(len(rows) for rows in runs.values())
    for name, rows in runs.items():
        row = rows[epoch - 1]
        recalls = ", ".join(f"R@{k} {recall(row, k):.1f}" for k in RECALLS)
        losses = f"loss {row['train/loss']:.4f}, validation loss {row['val/loss']:.4f}"
        print(f"{name}: epoch {epoch} of {len(rows)}, {losses}, {recalls}")


def read(run: Path) -> list[dict[str, float]]:
    """The figures of each epoch."""
    with (run / "logs" / "metrics.csv").open() as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def recall(row: dict[str, float], k: int) -> float:
    """R@k on validation data in percent, mean of both ways."""
    return (row[f"val/t2m/R{k:02d}"] + row[f"val/m2t/R{k:02d}"]) / 2


def draw(runs: dict[str, list[dict[str, float]]], picture: Path) -> None:
    """Losses, recalls, and how often the side is right."""
    matplotlib.use("Agg")
    figure, (losses, recalls, sides) = plt.subplots(1, 3, figsize=(15, 4.2), layout="constrained")
    for color, (name, rows) in zip(COLORS, runs.items(), strict=False):
        epochs = range(1, len(rows) + 1)
        losses.plot(epochs, [row["train/loss"] for row in rows], color=color, label=name)
        losses.plot(epochs, [row["val/loss"] for row in rows], "--", color=color)
        for k, style in zip(RECALLS, ("-", "--", ":"), strict=True):
            recalls.plot(epochs, [recall(row, k) for row in rows], style, color=color)
        for way, style in (("t2m", "-"), ("m2t", "--")):
            preferred = [row.get(f"val/sides/{way}", math.nan) for row in rows]
            sides.plot(epochs, preferred, style, color=color)
    for style, name in zip(("-", "--"), ("training", "validation"), strict=True):
        losses.plot([], [], style, color="#868e96", label=name)
    for k, style in zip(RECALLS, ("-", "--", ":"), strict=True):
        recalls.plot([], [], style, color="#868e96", label=f"R@{k}")
    for style, name in zip(("-", "--"), ("text", "motion"), strict=True):
        sides.plot([], [], style, color="#868e96", label=name)
    for axes, title in (
        (losses, "loss"),
        (recalls, "R@k on validation data, percent, mean of both ways"),
        (sides, "prefers its own to the mirror image, percent"),
    ):
        axes.set_title(title, loc="left")
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    recalls.set_ylim(0, 100)
    sides.set_ylim(40, 100)
    figure.savefig(picture, dpi=120, facecolor="white")


if __name__ == "__main__":
    main()
