"""Evaluation of generated motion batch by batch, with intervals and the scores of every sample."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from tmr.errors import InputError, whole_number
from tmr.generation import metrics
from tmr.generation.metrics import BATCH

_Z_95 = 1.96  # standard errors of a 95% interval


@runtime_checkable
class Encoder(Protocol):
    """What gives latents of texts and motions, such as `tmr.Model`."""

    def encode_texts(self, texts: Iterable[str]) -> Float[Tensor, "texts dim"]:
        """Latents of texts, in order."""
        ...

    def encode_motions(self, motions: Any, *, check: bool = True) -> Float[Tensor, "motions dim"]:
        """Latents of motions, in order."""
        ...


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found.

    ``metrics`` are the means over replications, the generations of a text, by name; ``intervals``
    their 95% intervals, mean +- 1.96 s / sqrt(replications) as in Guo et al. (CVPR 2022), where
    there are two replications or more. ``samples`` has an array (texts, generations) for each
    score of single motions: ``text_score``, ``matching_score``, ``text_rank`` (place of the own
    text among all texts, 0 is best), and ``motion_score`` where there are reference motions.
    """

    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    samples: dict[str, Float[np.ndarray, "texts generations"]]

    def to_frame(self) -> Any:
        """A pandas DataFrame with a row a metric: ``value``, ``low``, ``high``.

        Raises:
            InputError: pandas is not installed.
        """
        rows = {
            name: (value, *self.intervals.get(name, (np.nan, np.nan)))
            for name, value in self.metrics.items()
        }
        columns = ["value", "low", "high"]
        return _pandas().DataFrame.from_dict(rows, orient="index", columns=columns)

    def samples_to_frame(self) -> Any:
        """A pandas DataFrame with a row a generated motion, indexed by text and generation.

        Raises:
            InputError: pandas is not installed.
        """
        pandas = _pandas()
        shape = next(iter(self.samples.values())).shape
        index = pandas.MultiIndex.from_product(map(range, shape), names=["text", "generation"])
        return pandas.DataFrame({n: s.ravel() for n, s in self.samples.items()}, index=index)


@dataclass(eq=False)
class Evaluator:
    """Accumulates batches of generated motions and computes all metrics of them at the end.

    ``encoder`` is the model that evaluates. ``batch`` is the size of the batches of texts in
    R-precision, 32 in the literature. ``check`` is that of `tmr.Model.encode_motions`.

        evaluator = Evaluator(model)
        for texts, generated, real in batches:
            evaluator.update(texts, generated, real)
        evaluation = evaluator.compute()
    """

    encoder: Encoder
    batch: int = BATCH
    check: bool = True
    _texts: list[list[Float[Tensor, "_ dim"]]] = field(default_factory=list, repr=False)
    _generated: list[Float[Tensor, "_ generations dim"]] = field(default_factory=list, repr=False)
    _reference: list[Float[Tensor, "_ dim"]] = field(default_factory=list, repr=False)

    def update(self, texts: Any, generated: Any, reference: Any = None) -> None:
        """Add a batch.

        ``texts`` are strings, or several captions for each motion as lists of strings, or latents
        (texts, dim). ``generated[i]`` is one motion of text i or a list of several, for every text
        as many, or latents (texts, [generations,] dim). ``reference[i]``, the real motion of text
        i, or latents (texts, dim), may be left out in all batches.

        Raises:
            InputError: numbers that differ, or input that cannot be encoded.
        """
        if not isinstance(self.encoder, Encoder):
            raise InputError(f"expected a model such as that of tmr.load, found {self.encoder!r}")
        captions = self._text_latents(texts)
        motions = self._motion_latents(generated)
        real = None
        if reference is not None:
            real = (
                reference
                if isinstance(reference, Tensor) and reference.ndim == 2
                else self.encoder.encode_motions(reference, check=self.check)
            )
        rows = [row for some in captions for row in some]
        if not rows or not len(motions):
            raise InputError("found no texts or no generated motions; expected at least one each")
        latents = [torch.stack(rows), *motions.unbind(1), *([] if real is None else [real])]
        if len({part.shape[-1] for part in latents}) > 1:
            widths = ", ".join(str(part.shape[-1]) for part in latents)
            raise InputError(f"found latents of {widths} numbers; expected those of one model")
        if not all(bool(part.isfinite().all()) for part in latents):
            raise InputError("a latent is not finite: NaN or infinite")
        counts = [len(captions), len(motions), *([] if real is None else [len(real)])]
        if len(set(counts)) > 1:
            found = f"{counts[0]} texts, {counts[1]} generated"
            found += "" if real is None else f" and {counts[2]} reference"
            raise InputError(f"found {found} motions; expected as many of each, in the same order")
        if self._generated:
            before = self._generated[0].shape[1]
            if motions.shape[1] != before:
                raise InputError(
                    f"found {motions.shape[1]} generated motions for a text, and {before} in the "
                    "batch before; expected as many for each"
                )
            if (real is None) != (not self._reference):
                raise InputError("reference motions come with all batches or with none")
        self._texts.extend(captions)
        self._generated.append(motions)
        if real is not None:
            self._reference.append(real)

    def compute(self) -> Evaluation:
        """Every metric of all that was added; `tmr.generation.metrics` has the formulas.

        Raises:
            InputError: nothing was added, or fewer texts than a batch of R-precision.
        """
        if not self._generated:
            raise InputError("nothing to evaluate: call update first")
        batch = whole_number("batch", self.batch)
        generated = torch.cat(self._generated)
        reference = torch.cat(self._reference) if self._reference else None
        # Caption r of each motion in round r; motions with fewer captions repeat theirs.
        rounds = max(len(captions) for captions in self._texts)
        texts = [torch.stack([c[r % len(c)] for c in self._texts]) for r in range(rounds)]
        runs = generated.unbind(dim=1)
        rows = [
            _mean([metrics.of_pairs(some, motions, reference, batch) for some in texts])
            for motions in runs
        ]
        found = _mean(rows)
        found["diversity"] = metrics.diversity(generated)
        if len(runs) > 1:
            found["multimodality"] = metrics.multimodality(generated)
        samples = [
            _mean([metrics.of_samples(some, motions, reference) for some in texts])
            for motions in runs
        ]
        stacked = {name: np.stack([s[name] for s in samples], axis=1) for name in samples[0]}
        return Evaluation(found, _intervals(rows), stacked)

    def reset(self) -> None:
        """Forget what was added."""
        self._texts.clear()
        self._generated.clear()
        self._reference.clear()

    def _text_latents(self, texts: Any) -> list[list[Float[Tensor, " dim"]]]:
        if isinstance(texts, np.ndarray) and texts.ndim == 2 and texts.dtype.kind == "f":
            texts = torch.from_numpy(texts)
        if isinstance(texts, Tensor):
            return [[latent] for latent in texts]
        if isinstance(texts, str | bytes) or not isinstance(texts, Iterable):
            raise InputError(f"expected a list of at least one text, found {texts!r}")
        lists = [
            list(text) if isinstance(text, Iterable) and not isinstance(text, str) else [text]
            for text in texts
        ]
        if any(not captions for captions in lists):
            raise InputError("a motion has no caption")
        flat = self.encoder.encode_texts([text for captions in lists for text in captions])
        return [list(some) for some in flat.split([len(captions) for captions in lists])]

    def _motion_latents(self, generated: Any) -> Float[Tensor, "texts generations dim"]:
        if isinstance(generated, Tensor) and generated.ndim == 2:
            return rearrange(generated, "n dim -> n 1 dim")
        if isinstance(generated, Tensor) and generated.ndim == 3 and generated.shape[-1] != 263:
            return generated
        if isinstance(generated, str) or not isinstance(generated, Iterable):
            raise InputError(f"expected generated motions or their latents, found {generated!r}")
        lists = [[m] if isinstance(m, np.ndarray | Tensor) else list(m) for m in generated]
        counts = sorted({len(motions) for motions in lists})
        if len(counts) > 1:
            raise InputError(
                f"found {counts} generated motions for a text; expected as many for each"
            )
        flat = [motion for motions in lists for motion in motions]
        latents = self.encoder.encode_motions(flat, check=self.check)
        return rearrange(
            latents, "(texts generations) dim -> texts generations dim", texts=len(lists)
        )


def _mean(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}


def _intervals(rows: Sequence[dict[str, float]]) -> dict[str, tuple[float, float]]:
    if len(rows) < 2:
        return {}
    found = {}
    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        mean, reach = values.mean(), _Z_95 * values.std(ddof=1) / len(values) ** 0.5
        found[name] = (float(mean - reach), float(mean + reach))
    return found


def _pandas() -> Any:
    try:
        import pandas  # noqa: PLC0415  optional
    except ImportError:
        raise InputError("a DataFrame needs pandas: run `pip install pandas`") from None
    return pandas
