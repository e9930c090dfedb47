"""Whether a run recognizes plainly told actions in people whom it was not trained on.

    python -m benchmarks.plain_words outputs/open models/open

A thousand procedural motions of ten actions, told in the words of
configs/labels/bandai_content.yaml ("walks forward", "waves the left hand"), by people outside of
the range of the training set: bent lower, slower and quicker, with larger and smaller movements. A
row a run: top-1, then for each label how many of its 100 motions are recognized, and how many of
all motions are taken for it. A label that draws others shows here, before any real motion is
looked at.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from benchmarks.open_model import CONTENTS
from tmr.api import load
from tmr.model import temperature_of
from tmr.motion.features import joints_to_features
from tmr.synthetic.clip_builder import Spec, Style
from tmr.synthetic.sequences import animate
from tmr.zero_shot import label_probabilities

TIMES = 100


def draw_unusual(rng: np.random.Generator) -> Style:
    """A person whose manner goes beyond what `Style.draw` gives."""
    return replace(
        Style.draw(rng),
        pace=float(rng.uniform(0.7, 1.5)),
        size=float(rng.uniform(0.5, 1.4)),
        posture=float(rng.uniform(-8, 40)),
        bowed=float(rng.uniform(-10, 30)),
        stance=float(rng.uniform(0.08, 0.2)),
        swing=float(rng.uniform(0.2, 1.8)),
        bounce=float(rng.uniform(0.3, 2.0)),
        turning=(float(rng.uniform(0.2, 2.5)), float(rng.uniform(0.4, 2.5))),
        knees=float(rng.uniform(0, 0.12)),
        rhythm=(float(rng.uniform(0, 0.04)), float(rng.uniform(0.8, 2.4))),
    )


def specs(rng: np.random.Generator) -> Iterator[tuple[str, Spec]]:
    """One action for each label, its other attributes at random."""
    tempo = str(rng.choice(["", "slow", "fast"]))
    far = str(rng.choice(["", "big"]))
    yield "walk", Spec("walk", direction="forward", tempo=tempo, amplitude=far)
    yield "run", Spec("run", direction="forward", amplitude=far, tempo=tempo.replace("slow", ""))
    for side in ("left", "right"):
        yield f"walk-turn-{side}", Spec("curve", side=side, tempo=tempo)
    for side in ("left", "right", "both"):
        hand = "both-hands" if side == "both" else f"{side}-hand"
        where = str(rng.choice(["up", "overhead"]))
        yield f"raise-up-{hand}", Spec("raise", side=side, direction=where, count=1, tempo=tempo)
        yield f"wave-{hand}", Spec("wave", side=side, tempo=tempo, amplitude=far)


def main() -> None:
    """Print a row for each run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+")
    runs = parser.parse_args().runs
    labels = CONTENTS
    motions, truth = [], []
    for seed in range(TIMES):
        rng = np.random.default_rng([77, seed])
        for name, spec in specs(rng):
            joints = animate((spec,), rng, draw_style=draw_unusual).joints
            motions.append(joints_to_features(joints.astype(np.float32)))
            truth.append(labels.labels.index(name))
    print(", ".join(labels.labels))
    for run in runs:
        model = load(run, ckpt="last")
        latents = model.encode_motions(motions, check=False).cpu()
        prompts = [[model.encode_texts(some).cpu() for some in told]
                   for told in labels.prompts.values()]  # fmt: skip
        probabilities = label_probabilities(latents, prompts, temperature_of(model.network))
        found = probabilities.argmax(axis=1)
        right = found == np.array(truth)
        recognized = np.bincount(np.array(truth)[right], minlength=len(labels.labels))
        taken = np.bincount(found, minlength=len(labels.labels))
        print(
            f"{run}: {100 * right.mean():.1f}; {recognized.tolist()}; {taken.tolist()}", flush=True
        )


if __name__ == "__main__":
    main()
