"""A picture of a run's latent space, colored by the side that captions name.

    python -m benchmarks.latents RUN_DIR PICTURE.png

Unit latents of the embedded test split's motions and first captions on two axes: the difference of
the means of motions whose caption names the left and of those whose caption names the right, and
the direction orthogonal to it in which motions differ most.
"""

import argparse
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import torch.nn.functional as F

from benchmarks.open_model import data_set
from tmr.api import load
from tmr.data import TextMotionDataset
from tmr.io import atomic_path
from tmr.retrieval import encode_dataset
from tmr.runs.build import embeddings_of
from tmr.text.left_right import side_bits

COLORS = {"left": "#2878b5", "right": "#e07a1f", "both": "#8e5ea2", "neither": "#adb5bd"}


def side_named(caption: str) -> str:
    """Left, right, both or neither."""
    left, right, *_ = side_bits(caption)
    return {(True, False): "left", (False, True): "right", (True, True): "both"}.get(
        (left, right), "neither"
    )


def main() -> None:
    """Write the picture, and print how far apart the sides are on its first axis."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("picture", type=Path)
    options = parser.parse_args()
    model = load(options.run)
    data = data_set("synthetic")
    embeddings = embeddings_of(model.config, data_set("open"))
    dataset = TextMotionDataset(data, data.present("test"), embeddings, model.normalizer)
    encoded = encode_dataset(model.network, dataset, 256)
    motion, text = (F.normalize(x, dim=-1).numpy() for x in (encoded.motion, encoded.text))
    sides = np.array([side_named(caption) for caption in encoded.captions])
    across = motion[sides == "left"].mean(axis=0) - motion[sides == "right"].mean(axis=0)
    across /= np.linalg.norm(across)
    rest = motion - motion.mean(axis=0)
    rest -= np.outer(rest @ across, across)
    along = np.linalg.svd(rest, full_matrices=False)[2][0]
    axes = np.stack([across, along], axis=1)

    matplotlib.use("Agg")
    figure, panels = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained", sharey=True)
    for panel, name, latents in zip(panels, ("motions", "captions"), (motion, text), strict=True):
        places = latents @ axes
        for side, color in COLORS.items():
            chosen = places[sides == side]
            if not len(chosen):
                continue
            label = f"{side} ({len(chosen)})"
            panel.scatter(*chosen.T, s=14, color=color, label=label, alpha=0.8, linewidths=0)
        one = np.isin(sides, ["left", "right"])
        theirs = (places[one, 0] > 0) == (sides[one] == "left")
        print(f"{name}: {100 * theirs.mean():.1f}% of those with one side on their side of zero")
        panel.set_title(name)
        panel.set_xlabel("left minus right")
        panel.axvline(0, color="#dee2e6", zorder=0)
    panels[0].set_ylabel("first principal component of the rest")
    panels[1].legend(title="side named", loc="center left", bbox_to_anchor=(1, 0.5))
    with atomic_path(options.picture) as temporary:
        figure.savefig(temporary, dpi=110, facecolor="white", format="png")


if __name__ == "__main__":
    main()
