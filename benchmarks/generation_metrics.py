"""What the figures of generated motion notice: `python benchmarks/generation_metrics.py --help`.

The motions of a split are spoiled in five ways, more and more, and judged as if they were generated
from the split's captions; the first row are the motions themselves. Prints a table and, with
`--picture`, draws it.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib
import numpy as np
import orjson
from jaxtyping import Float

import tmr
from tmr.data import TextMotionData
from tmr.data.dataset import frames_of, read_features
from tmr.io import atomic_path
from tmr.runs.build import data_of

COLUMNS = {
    "r_precision_1": "R-precision@1",
    "r_precision_3": "R-precision@3",
    "matching_score": "matching score",
    "fid": "FID",
    "diversity": "diversity",
    "text_score": "text score",
    "motion_score": "motion score",
}
Clips = list[Float[np.ndarray, "_ 263"]]
Spoiling = Callable[[Clips, float, np.random.Generator], Clips]


def main() -> None:
    """Judge every kind of spoiled motions and print a row each."""
    parser = argparse.ArgumentParser(description="What the figures of generated motion notice.")
    parser.add_argument("--run-dir", default="outputs/tmr_small_bandai_guoh3dfeats")
    parser.add_argument("--split", default="test")
    parser.add_argument("--class-key", default="content", help="annotation field with the class")
    parser.add_argument("--motions", type=int, help="only so many, drawn from the split")
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    model = tmr.load(options.run_dir)
    data = data_of(model.config)
    captions, clips, mirrored, classes = read(
        data, options.split, options.class_key, options.motions
    )
    texts, real = model.encode_texts(captions), model.encode_motions(clips)
    std = model.normalizer.std.numpy()
    print(f"{len(clips)} motions of {data.name}, split {options.split}, {options.run_dir}")
    print(f"{'':<26}" + "".join(f"{label:>15}" for label in COLUMNS.values()))
    began = time.perf_counter()
    untouched = tmr.evaluate_generation(model, texts, real, real)
    print(f"{'real':<26}{cells(untouched)}  ({time.perf_counter() - began:.2f} s)")
    rows: dict[str, list[dict[str, float]]] = {}
    for kind, strengths, spoil in spoilings(std, mirrored, classes):
        rows[kind] = [untouched]
        for strength in strengths:
            spoiled = spoil(clips, strength, np.random.default_rng(0))
            rows[kind].append(tmr.evaluate_generation(model, texts, spoiled, real, check=False))
            print(f"{kind:<20}{strength:>6g}{cells(rows[kind][-1])}", flush=True)
    if options.picture:
        draw(rows, options.picture)


def cells(figures: dict[str, float]) -> str:
    """The figures of a row, in the order of the columns."""
    return "".join(f"{figures[name]:>15.4f}" for name in COLUMNS)


def read(
    data: TextMotionData, split: str, class_key: str, count: int | None
) -> tuple[list[str], Clips, Clips, list[str]]:
    """First captions of a split, their parts of the motions, mirrored motions, and classes."""
    entries = orjson.loads((Path(data.annotations) / "annotations.json").read_bytes())
    annotations = data.present(split)
    order = np.random.default_rng(0).permutation(len(annotations))[:count]
    annotations = [annotations[i] for i in order]

    def cut(prefix: str) -> Clips:
        found = []
        for annotation in annotations:
            features = read_features(data.motion_file(f"{prefix}{annotation.path}"))
            begin, end = frames_of(annotation.captions[0], len(features))
            found.append(features[begin:end])
        return found

    captions = [annotation.captions[0].text for annotation in annotations]
    classes = [entries[annotation.key][class_key] for annotation in annotations]
    return captions, cut(""), cut("M/"), classes


def spoilings(
    std: np.ndarray, mirrored: Clips, classes: list[str]
) -> Iterator[tuple[str, tuple[float, ...], Spoiling]]:
    """Name, strengths and function of each way to spoil motions."""

    def noise(clips: Clips, strength: float, random: np.random.Generator) -> Clips:
        """Gaussian noise of ``strength`` standard deviations of each feature."""
        return [
            clip + (strength * std * random.normal(size=clip.shape)).astype(np.float32)
            for clip in clips
        ]

    def shuffle(clips: Clips, strength: float, random: np.random.Generator) -> Clips:
        """Frames in a random order within windows of that many seconds."""
        size = max(1, round(20 * strength))
        order = [
            np.argsort(np.arange(len(clip)) // size + random.random(len(clip))) for clip in clips
        ]
        return [clip[rows] for clip, rows in zip(clips, order, strict=True)]

    def some(clips: Clips, others: Clips, share: float, random: np.random.Generator) -> Clips:
        chosen = random.permutation(len(clips)) < round(share * len(clips))
        return [b if c else a for a, b, c in zip(clips, others, chosen, strict=True)]

    def mirror(clips: Clips, strength: float, random: np.random.Generator) -> Clips:
        """That share of motions mirrored."""
        return some(clips, mirrored, strength, random)

    def wrong_class(clips: Clips, strength: float, random: np.random.Generator) -> Clips:
        """That share of motions exchanged for one of another class."""
        others = []
        for own in classes:
            candidates = [i for i, other in enumerate(classes) if other != own]
            others.append(clips[random.choice(candidates)])
        return some(clips, others, strength, random)

    def one_class(clips: Clips, strength: float, random: np.random.Generator) -> Clips:
        """That share of motions exchanged for one of the commonest class."""
        commonest = max(sorted(set(classes)), key=classes.count)
        members = [clip for clip, name in zip(clips, classes, strict=True) if name == commonest]
        others = [members[i] for i in random.integers(len(members), size=len(clips))]
        return some(clips, others, strength, random)

    yield "noise (std)", (0.1, 0.2, 0.5, 1, 2), noise
    yield "shuffled within s", (0.1, 0.2, 0.5, 1, 10), shuffle
    yield "mirrored, share", (0.25, 0.5, 0.75, 1), mirror
    yield "wrong class, share", (0.25, 0.5, 0.75, 1), wrong_class
    yield "one class, share", (0.25, 0.5, 0.75, 1), one_class


def draw(rows: dict[str, list[dict[str, float]]], path: Path) -> None:
    """One panel a figure, one line a way to spoil motions, from not at all to the strongest."""
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415  after the choice of backend

    names = [name for name in COLUMNS if name != "r_precision_3"]
    figure, axes = plt.subplots(2, 3, figsize=(11, 6), sharex=True, layout="constrained")
    for axis, name in zip(axes.flat, names, strict=True):
        for kind, points in rows.items():
            x = np.linspace(0, 1, len(points))
            axis.plot(x, [figures[name] for figures in points], marker="o", ms=3, label=kind)
        axis.set_title(COLUMNS[name])
        if name == "fid":
            axis.set_yscale("symlog", linthresh=1e-4)
        axis.set_xticks([0, 1], ["real", "strongest"])
        axis.spines[["top", "right"]].set_visible(False)
        axis.margins(y=0.1)
    figure.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110)


if __name__ == "__main__":
    main()
