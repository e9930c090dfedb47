"""Figures of a run on motion that it was not trained on: embedded, CMU, and Bandai-Namco.

    python -m benchmarks.open_model outputs/open_seed0 [outputs/open_seed1 ...]

A row a run: R@1 and sides on the embedded test split, guo R@1 and sides on CMU's test split,
recognition of the ten contents of Bandai-Namco's second data set over all its clips, how many of
its clips with a left or right in their label prefer their own side's sentences, the lowest of
these by label, and how many of the first five clips found by fifteen sentences are right. With
--val, the validation splits and nothing of Bandai-Namco: that is what recipes are chosen by.
Data sets that are not prepared are left out.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import yaml
from scipy.special import expit
from torch import Tensor

from tmr.api import Model, load
from tmr.data import TextMotionData, TextMotionDataset
from tmr.data.feature_files import read_features
from tmr.localization.calibration import calibration_error, fit_calibration
from tmr.model import temperature_of
from tmr.retrieval import PROTOCOLS, Encoded, cosine_similarity, encode_dataset, evaluate
from tmr.retrieval.bootstrap import Interval, with_intervals
from tmr.retrieval.metrics import shown_score
from tmr.retrieval.sides import side_preferences
from tmr.runs.build import embeddings_of
from tmr.text.left_right import swap_sides
from tmr.zero_shot import LabelSet, evaluate_recognition, label_probabilities, truth_table

CONTENTS = LabelSet(
    **{
        name: value
        for name, value in yaml.safe_load(
            Path("configs/labels/bandai_content.yaml").read_text()
        ).items()
        if name != "_target_"
    }
)
# A sentence, and the contents that are right for it.
SENTENCES = {
    "a person raises both arms above the head": ["raise-up-both-hands"],
    "someone lifts the left arm up": ["raise-up-left-hand"],
    "a man puts his right hand in the air": ["raise-up-right-hand"],
    "a person runs forward": ["run"],
    "a man is jogging": ["run"],
    "a person walks forward in a straight line": ["walk"],
    "someone strolls ahead": ["walk"],
    "a person walks and then turns left": ["walk-turn-left"],
    "someone takes a right turn while walking": ["walk-turn-right"],
    "a person waves with both hands": ["wave-both-hands"],
    "a person waves with the left hand": ["wave-left-hand"],
    "someone waves goodbye with the right hand": ["wave-right-hand"],
    "a man greets a friend by waving his left hand": ["wave-left-hand"],
    "a woman holds her right arm straight up": ["raise-up-right-hand"],
    "a person turns left while walking": ["walk-turn-left"],
}
FIRST = 5


def data_set(name: str) -> TextMotionData:
    """A prepared data set by name."""
    return TextMotionData(
        name,
        annotations=f"datasets/annotations/{name}",
        motions="datasets/motions/guoh3dfeats",
        stats=f"stats/{name}/guoh3dfeats",
    )


def encoded_split(model: Model, name: str, split: str) -> Encoded:
    """The latents of a split with all its captions."""
    data = data_set(name)
    embeddings = embeddings_of(model.config, data_set("open"))
    dataset = TextMotionDataset(data, data.present(split), embeddings, model.normalizer)
    return encode_dataset(model.network, dataset, 256, every_caption=True)


def retrieval(encoded: Encoded, prefix: str) -> dict[str, Interval]:
    """R@1 both ways (normal and guo) and sides on a split."""
    found = {}
    for protocol in ("normal", "guo"):
        if not PROTOCOLS[protocol].possible(encoded):
            continue
        figures = evaluate(encoded, PROTOCOLS[protocol]).intervals(tie_safe=True)
        found |= {f"{prefix} {protocol} {way}": figures[f"{way}/R01"] for way in ("t2m", "m2t")}
    sides = side_preferences(encoded)
    return found | {f"{prefix} {k} ({len(sides)})": v for k, v in sides.intervals().items()}


def first_answers(encoded: Encoded) -> tuple[np.ndarray, np.ndarray]:
    """Shown scores of the first motions that captions find, and whether they have that caption."""
    best, row = cosine_similarity(encoded.text, encoded.motion).max(dim=1)
    captions = np.array(encoded.captions)
    return shown_score(best).numpy(), captions[row.numpy()] == captions


def calibration(val: Encoded, test: Encoded, prefix: str) -> dict[str, Interval]:
    """At which score a first answer is as likely right as wrong, from the validation split; and how
    far scores are from the share of right answers on the test split, as shown and calibrated."""
    fitted = fit_calibration(*first_answers(val))
    scores, right = first_answers(test)
    return {
        f"{prefix} score of even odds": alone(100 * float(expit(-fitted.offset / fitted.slope))),
        f"{prefix} error of scores": alone(100 * calibration_error(scores, right)),
        f"{prefix} error, calibrated": alone(100 * calibration_error(fitted(scores), right)),
    }


def bandai(model: Model) -> dict[str, Interval]:
    """Recognition, sides and search on all clips of Bandai-Namco's second data set."""
    data = replace(data_set("bandai"), min_seconds=0.0, max_seconds=float("inf"))  # all clips
    labels = CONTENTS
    kept = [(a, labels.parts(a)[0][1]) for a in data.present("all") if labels.parts(a)]
    motions = [read_features(data.motion_file(a.path)) for a, _ in kept]
    latents = torch.cat(
        [
            model.encode_motions(motions[i : i + 512], check=False).cpu()
            for i in range(0, len(motions), 512)
        ]
    )
    truths = [truth for _, truth in kept]
    truth = [next(iter(some)) for some in truths]
    # The set has one template.
    prompts = {label: model.encode_texts(some).cpu() for label, (some,) in labels.prompts.items()}
    probabilities = label_probabilities(
        latents, [[some] for some in prompts.values()], temperature_of(model.network)
    )
    found = evaluate_recognition(probabilities, truth_table(truths, labels.labels))
    sides = label_sides(latents, truth, labels.labels, prompts)
    scores = cosine_similarity(model.encode_texts(list(SENTENCES)).cpu(), latents)
    right = [
        sum(truth[i] in contents for i in row.topk(FIRST).indices.tolist())
        for row, contents in zip(scores, SENTENCES.values(), strict=True)
    ]
    return {
        "bandai top-1": mean_of(100 * found.hits[:, 0]),
        "bandai lowest content": alone(100 * float(np.nanmin(found.per_label))),
        "bandai sides": mean_of(np.concatenate(list(sides.values()))),
        "bandai lowest side": alone(min(float(some.mean()) for some in sides.values())),
        "sentences, of 75": alone(sum(right)),
    }


def mean_of(values: np.ndarray) -> Interval:
    """The mean with its interval."""
    (found,) = with_intervals(values.astype(float)[:, None], np.arange(len(values)))
    return found


def alone(value: float) -> Interval:
    """A figure that has no interval."""
    return Interval(value, value, value)


def label_sides(
    latents: Tensor, truth: Sequence[str], labels: Sequence[str], prompts: Mapping[str, Tensor]
) -> dict[str, np.ndarray]:
    """100 for each clip of a sided label that prefers its own sentences to the mirrored, else 0."""
    found = {}
    for label in labels:
        image = swap_sides(label.replace("-", " ")).replace(" ", "-")
        if image != label:
            own = latents[[t == label for t in truth]]
            better = [cosine_similarity(own, prompts[name]).mean(dim=1) for name in (label, image)]
            found[label] = 100 * (better[0] > better[1]).numpy()
    return found


def main() -> None:
    """Print a row a run and the mean and range of all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--val", action="store_true")
    parser.add_argument("--ckpt", default="last")
    options = parser.parse_args()
    split = "val" if options.val else "test"
    rows = []
    for run in options.runs:
        model = load(run, ckpt=options.ckpt)
        row = {}
        for name, prefix in (("synthetic", "embedded"), ("cmu", "cmu")):
            encoded = encoded_split(model, name, split)
            row |= retrieval(encoded, prefix)
            if not options.val:
                row |= calibration(encoded_split(model, name, "val"), encoded, prefix)
        if not options.val and Path("datasets/motions/guoh3dfeats/bandai").is_dir():
            row |= bandai(model)
        rows.append(row)
        print(run)
        for name, found in row.items():
            span = "" if found.low == found.high else f" [{found.low:.1f}, {found.high:.1f}]"
            print(f"  {name}: {found.value:.1f}{span}", flush=True)
    if len(rows) > 1:
        print("mean [range]")
        for name in rows[0]:
            values = [row[name].value for row in rows]
            print(f"  {name}: {np.mean(values):.1f} [{min(values):.1f}, {max(values):.1f}]")


if __name__ == "__main__":
    main()
