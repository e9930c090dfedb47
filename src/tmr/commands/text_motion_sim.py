"""How well texts and motions fit: the score (1 + cosine) / 2."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from tmr.api import load
from tmr.commands.inputs import motion_files, read_features, texts_of
from tmr.io import write_text

log = logging.getLogger(__name__)


def text_motion_sim(
    run_dir: str,
    text: str | Sequence[str] | None,
    texts: str | None,
    npy: str | Sequence[str],
    start: float | int | None,
    end: float | int | None,
    output: str | None,
    ckpt: str,
    device: str,
    **reading: Any,
) -> None:
    """Print the score of a text and a motion, or a table of several."""
    given = texts_of(text, texts)
    paths = motion_files(npy)
    motions = [read_features(path, start, end, reading) for path in paths]
    scores = load(run_dir, device, ckpt).score(given, motions, check=False).cpu().numpy()
    names = [str(path) for path in paths]
    if scores.size == 1:
        score = f"{scores.item():.3f}"
        print(f"The similarity score s (0 <= s <= 1) between the text and the motion is: {score}")
    else:
        print(score_table(given, names, scores))
    if output is not None:
        rows = ["\t".join(["motion", *(" ".join(t.split()) for t in given)])]
        rows += ["\t".join([n, *map(str, s)]) for n, s in zip(names, scores.T, strict=True)]
        write_text(output, "\n".join(rows) + "\n")
        log.info("wrote %s", output)


def score_table(
    texts: Sequence[str], motions: Sequence[str], scores: Float[np.ndarray, "texts motions"]
) -> str:
    """Scores as people read them: a line a motion, a column a text, the texts above."""
    width = max(map(len, motions))
    lines = [f'{f"[{i}]":<{width}} "{text}"' for i, text in enumerate(texts, 1)]
    lines.append(" " * width + "".join(f"{f'[{i}]':>8}" for i in range(1, len(texts) + 1)))
    for name, row in zip(motions, scores.T, strict=True):
        lines.append(f"{name:<{width}}" + "".join(f"{score:>8.3f}" for score in row))
    return "\n".join(lines)
