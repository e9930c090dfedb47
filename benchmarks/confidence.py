"""How often the page is right that a library has, or has not, what was searched for.

`python benchmarks/confidence.py RUN_DIR` searches for captions of the run's data set, once among
all motions and once without those whose captions are alike, and prints how often the best match
is called strong, fair or weak.
"""

import argparse
from collections import Counter
from pathlib import Path

import torch
import torch.nn.functional as F

import tmr
from tmr.demo.confidence import FAIR, STRONG, UNRELATED, WEAK, Confidence
from tmr.runs.build import data_of
from tmr.runs.libraries import open_library

CAPTIONS = 300
ALIKE = 0.6  # cosine of sentence vectors above which a caption says the same


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--captions", type=int, default=CAPTIONS)
    given = parser.parse_args()
    model = tmr.load(given.run_dir)
    library = open_library(model.run, model.ckpt, model, data_of(model.config))
    entries = [entry for entry in library.entries() if not entry.take.mirrored]
    keys = {entry.key for entry in entries}
    rows = [row for row, entry in enumerate(library.entries()) if entry.key in keys]
    latents = library.latents()[rows]
    texts = [entry.captions[0] for entry in entries]
    chosen = torch.linspace(0, len(texts) - 1, min(given.captions, len(texts))).long().tolist()
    queries = F.normalize(model.encode_texts([texts[row] for row in chosen]).cpu(), dim=-1)
    vectors = F.normalize(torch.as_tensor(model.text_model.sentences(texts)), dim=-1)
    unrelated = F.normalize(model.encode_texts(list(UNRELATED)).cpu(), dim=-1)
    counts = {"with": Counter(), "without": Counter()}
    for query, row in zip(queries, chosen, strict=True):
        others = vectors @ vectors[row] < ALIKE
        for name, kept in (("with", latents), ("without", latents[others])):
            if len(kept):
                confidence = Confidence.of((unrelated @ kept.mT).amax(dim=-1))
                level = confidence.level(float((kept @ query).max()))
                counts[name][level] += 1
    for name, levels in counts.items():
        total = levels.total()
        shares = ", ".join(f"{level} {levels[level] / total:.0%}" for level in (STRONG, FAIR, WEAK))
        print(f"{name} a right motion, {total} captions: {shares}")


if __name__ == "__main__":
    main()
