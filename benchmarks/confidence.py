"""How often the page is right that a library has, or has not, what was searched for.

`python -m benchmarks.confidence RUN_DIR FOLDER` imports the clips of Bandai-Namco-Research-
Motiondataset (their names tell what they show) and searches for sentences in libraries of 60, of
500 and of all clips: as they are, and without the clips that are right. Other sentences say what no
clip shows. A row tells how often the best match is called strong, fair or weak. With --val, the
sentences that the thresholds were chosen by.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

import tmr
from tmr.api import Model
from tmr.demo.confidence import FAIR, STRONG, UNRELATED, WEAK, Confidence
from tmr.runs.libraries import open_folder

SIZES = (60, 500, 0)  # clips of a library; 0: all
DRAWS = 10  # libraries of a size
# Sentences and the contents that are right for them; of each pair the second is for --val.
PRESENT = {
    "a person raises both arms above the head": ("raise-up-both-hands",),
    "someone puts both hands up in the air": ("raise-up-both-hands",),
    "someone lifts the left arm up": ("raise-up-left-hand",),
    "a person raises the left hand": ("raise-up-left-hand",),
    "a person runs forward": ("run", "dash"),
    "a man is jogging": ("run", "dash"),
    "a person walks forward in a straight line": ("walk",),
    "someone strolls ahead": ("walk",),
    "a person walks and then turns left": ("walk-turn-left",),
    "someone takes a right turn while walking": ("walk-turn-right",),
    "a person waves with both hands": ("wave-both-hands",),
    "someone waves goodbye with the right hand": ("wave-right-hand", "bye", "byebye"),
    "a man bends the upper body forward in a bow": ("bow",),
    "a person bows": ("bow",),
    "a person walks backwards": ("walk-back",),
    "someone steps back while facing forward": ("walk-back",),
    "a person walks sideways to the left": ("walk-left",),
    "someone side steps to the right": ("walk-right",),
    "someone throws a kick forward": ("kick",),
    "a person punches": ("punch",),
}
ABSENT = (
    "a person sits down on a chair", "someone sits on the ground",
    "a person jumps up and down", "someone jumps over an obstacle",
    "a person crawls on hands and knees", "someone crawls forward",
    "a person climbs a ladder", "someone walks up the stairs",
    "a person does a cartwheel", "someone does a somersault",
    "a person does push ups", "someone lies down on the back",
    "a person throws a ball", "someone picks something up from the floor",
    "a person kneels on one knee", "someone squats down",
    "a person swims", "someone plays the guitar",
    "a person claps", "someone plays tennis",
)  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--val", action="store_true")
    given = parser.parse_args()
    model = tmr.load(given.run_dir)
    library = open_folder(model.run, model.ckpt, model, given.folder)
    latents = library.latents()
    contents = [Path(entry.file).stem.split("_")[1] for entry in library.entries()]
    unrelated = encoded(model, UNRELATED)
    first = int(given.val)
    present = list(PRESENT.items())[first::2]
    sentences = [text for text, _ in present] + list(ABSENT[first::2])
    right = [wanted for _, wanted in present] + [()] * len(ABSENT[first::2])
    queries = encoded(model, sentences)
    generator = torch.Generator().manual_seed(0)
    for size in SIZES:
        counts: dict[str, Counter[str]] = {}
        for _ in range(DRAWS if size else 1):
            rows = drawn(contents, size, generator)
            for query, wanted in zip(queries, right, strict=True):
                for name, level in judged(latents, contents, rows, query, wanted, unrelated):
                    counts.setdefault(name, Counter())[level] += 1
        print(f"{size or len(contents)} clips")
        for name, levels in sorted(counts.items()):
            total = levels.total()
            shares = [f"{level} {levels[level] / total:.0%}" for level in (STRONG, FAIR, WEAK)]
            print(f"  {name} ({total}): {', '.join(shares)}", flush=True)


def judged(
    latents: Float[Tensor, "n dim"],
    contents: Sequence[str],
    rows: Sequence[int],
    query: Float[Tensor, " dim"],
    wanted: Sequence[str],
    unrelated: Float[Tensor, "q dim"],
) -> list[tuple[str, str]]:
    """What was so, and how sure the page is: in the library, and in it without what is right."""
    found = []
    others = [row for row in rows if contents[row] not in wanted]
    libraries = [rows, others] if len(others) < len(rows) else [rows]
    for kept in libraries:
        cosines = latents[kept] @ query
        best, mean = (unrelated @ latents[kept].mT).amax(dim=-1), latents[kept].mean(dim=0)
        level = Confidence.of(best, unrelated, mean).level(query, float(cosines.max()))
        hit = contents[kept[int(cosines.argmax())]] in wanted
        name = (
            ("right clips there, first is right" if hit else "right clips there, first is not")
            if kept is rows and libraries[1:]
            else "none there, but taken out" if wanted else "none there, and nothing like it"
        )  # fmt: skip
        found.append((name, level))
    return found


def drawn(contents: Sequence[str], size: int, generator: torch.Generator) -> list[int]:
    """Rows of a library: of every content about as many."""
    if not size:
        return list(range(len(contents)))
    shares = Counter(contents)
    weights = torch.tensor([1 / shares[content] for content in contents])
    return torch.multinomial(weights, size, generator=generator).tolist()


def encoded(model: Model, texts: Sequence[str]) -> Float[Tensor, "n dim"]:
    """Latents of length 1."""
    return F.normalize(model.encode_texts(list(texts)).cpu(), dim=-1)


if __name__ == "__main__":
    main()
