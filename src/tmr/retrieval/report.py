"""Figures as people and programs read them: a table, YAML, JSON, LaTeX, and ranks as CSV."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from tmr.io import write_json, write_text
from tmr.retrieval.bootstrap import LEVEL, RESAMPLES, SEED, Interval
from tmr.retrieval.metrics import COLUMNS, TIE_TOLERANCE
from tmr.retrieval.protocols import PROTOCOLS, WAYS, Outcome, Protocol, Ranking
from tmr.retrieval.sides import Sides
from tmr.spreadsheet import write_rows

WAY_NAMES = {"t2m": "text to motion", "m2t": "motion to text"}
# What makes two reports comparable.
SAME = ("ckpt", "data", "split", "precision")
RULES = {"original": False, "tie-safe": True}
RANK_FIELDS = (
    "protocol", "direction", "gallery", "query", "caption", "rank_original", "rank_tie_safe",
    "tied", "cosine", "retrieved", "retrieved_caption", "retrieved_cosine",
)  # fmt: skip

Intervals = Mapping[str, Interval]


class Report:
    """Outcomes with the intervals of their figures, computed once for all that is written."""

    def __init__(
        self,
        outcomes: Mapping[str, Outcome],
        protocols: Mapping[str, Protocol] = PROTOCOLS,
        resamples: int = RESAMPLES,
        sides: Sides | None = None,
    ) -> None:
        self.outcomes = outcomes
        self.protocols = protocols
        self.sides = {} if sides is None else sides.intervals(resamples)
        self.side_pairs = 0 if sides is None else len(sides)
        self.precision = {
            name: outcome.mean_average_precision(resamples) for name, outcome in outcomes.items()
        }
        self.resamples = resamples
        self.figures = {name: outcome.figures() for name, outcome in outcomes.items()}
        self.intervals: dict[str, dict[str, Intervals]] = {
            name: {rule: outcome.intervals(tie_safe, resamples) for rule, tie_safe in RULES.items()}
            for name, outcome in outcomes.items()
        }

    def table(self) -> str:
        """Every protocol both ways by both rules, each figure with half of its 95% interval.

        Beside a protocol's name stands the tie-safe R@1 that captions shared by several motions
        leave to a perfect model, for both ways.
        """
        lines = [f"{'':<27}" + "".join(f"{_heading(c):>12}" for c in COLUMNS).rstrip()]
        for name in self.outcomes:
            lines += ["-" * len(lines[0]), f"{name:<24}{self._size(name)}"]
            for way in WAYS:
                for rule in RULES:
                    found = self.intervals[name][rule]
                    row = f"  {WAY_NAMES[way] if rule == 'original' else '':<16}{rule:<9}"
                    lines.append(
                        row + "".join(f"{_shown(found[f'{way}/{c}']):>12}" for c in COLUMNS)
                    )
            for name_of, found in self.precision.get(name, {}).items():
                lines.append(f"  {WAY_NAMES[name_of[:3]]:<16}{'mAP':<9}{_shown(found):>12}")
        if self.sides:
            lines += ["-" * len(lines[0]), f"{'sides':<24}{self._pairs()}"]
            lines += [
                f"  {WAY_NAMES[name[-3:]]:<25}{_shown(found):>12}"
                for name, found in self.sides.items()
            ]
        return "\n".join(lines)

    def _pairs(self) -> str:
        return f"{self.side_pairs} texts that name a side, against the mirror image; chance 50"

    def _size(self, name: str) -> str:
        outcome = self.outcomes[name]
        texts, motions = (round(self.figures[name][f"{way}/len"]) for way in WAYS)
        most = " and ".join(f"{outcome.ceiling()[f'{way}/R01']:.2f}" for way in WAYS)
        galleries = len(outcome.rankings["t2m"])
        several = f" in each of {galleries} galleries" if galleries > 1 else ""
        return f"{texts} texts, {motions} motions{several}; R@1 at most {most}"

    def write(self, yaml_folder: Path, folder: Path, about: Mapping[str, Any]) -> list[Path]:
        """Write the YAML files and, into ``folder``, the JSON, LaTeX and CSV files; their paths.

        ``about`` goes into the JSON file as it is. Protocols that the file has, by the same weights
        on the same motions, stay in it.
        """
        paths = self.write_yaml(yaml_folder)
        metrics = folder / "metrics.json"
        write_json(metrics, _with_earlier(metrics, self.as_json(about)))
        write_text(folder / "table.tex", self.latex())
        self.write_ranks(folder / "ranks.csv")
        return [*paths, *(folder / name for name in ("metrics.json", "table.tex", "ranks.csv"))]

    def write_yaml(self, folder: Path) -> list[Path]:
        """One file a protocol, figures by the original rule rounded to two digits."""
        paths = []
        for protocol, figures in self.figures.items():
            names = [f"{way}/{c}" for c in (*COLUMNS, "len") for way in WAYS]
            text = "".join(f"{name}: {round(figures[name], 2)}\n" for name in names)
            text += _yaml(self.precision.get(protocol, {}))
            paths.append(folder / f"{protocol}.yaml")
            write_text(paths[-1], text)
        if self.sides:
            paths.append(folder / "sides.yaml")
            write_text(paths[-1], _yaml(self.sides) + f"sides/len: {self.side_pairs}\n")
        return paths

    def as_json(self, about: Mapping[str, Any]) -> dict[str, Any]:
        """Everything that is known, unrounded."""
        bootstrap = {"resamples": self.resamples, "seed": SEED, "level": LEVEL, "over": "queries"}
        return {
            **about,
            "bootstrap": bootstrap,
            "tie_tolerance": TIE_TOLERANCE,
            "protocols": {
                name: {
                    "definition": asdict(self.protocols[name]),
                    "len": {way: self.figures[name][f"{way}/len"] for way in WAYS},
                    **{
                        rule: {figure: asdict(value) for figure, value in found.items()}
                        for rule, found in self.intervals[name].items()
                    },
                    "ceiling": outcome.ceiling(),
                    **{n: asdict(value) for n, value in self.precision.get(name, {}).items()},
                }
                for name, outcome in self.outcomes.items()
            },
            "sides": {
                "pairs": self.side_pairs,
                **{name: asdict(value) for name, value in self.sides.items()},
            },
        }

    def latex(self) -> str:
        """One row a protocol and rule: text to motion, then motion to text, for ``tabular``."""
        columns = " & ".join(map(_heading, COLUMNS))
        lines = [f"% protocol & {columns} (text to motion) & {columns} (motion to text) \\\\"]
        for rule in RULES:
            lines.append(f"% {rule}: docs/metrics.md says what that means")
            for name, intervals in self.intervals.items():
                found = intervals[rule]
                cells = [f"{found[f'{way}/{c}'].value:.2f}" for way in WAYS for c in COLUMNS]
                lines.append(" & ".join([name.replace("_", r"\_"), *cells]) + r" \\")
        return "\n".join(lines) + "\n"

    def write_ranks(self, path: Path) -> None:
        """A row for each query: its ranks, counted from one, and what stood first."""
        rows = (
            (name, way, gallery, *row)
            for name, outcome in self.outcomes.items()
            for way in WAYS
            for gallery, ranking in enumerate(outcome.rankings[way])
            for row in _rank_rows(ranking)
        )
        write_rows(path, itertools.chain([RANK_FIELDS], rows))


def _with_earlier(metrics: Path, found: dict[str, Any]) -> dict[str, Any]:
    """A report with the protocols that an earlier one of the same has beside."""
    try:
        earlier = orjson.loads(metrics.read_bytes())
        same = all(earlier[name] == found[name] for name in SAME)
        protocols = earlier["protocols"] | found["protocols"]
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError):
        return found
    return found | {"protocols": protocols} if same else found


def _rank_rows(ranking: Ranking) -> Iterator[tuple[object, ...]]:
    cosines, tops = ranking.original.best.tolist(), ranking.top.tolist()
    return zip(
        ranking.keys,
        ranking.captions,
        (ranking.original.ranks + 1).tolist(),
        (ranking.tie_safe.ranks + 1).tolist(),
        ranking.tie_safe.tied.tolist(),
        (f"{cosine:.6f}" for cosine in cosines),
        ranking.retrieved,
        ranking.retrieved_captions,
        (f"{cosine:.6f}" for cosine in tops),
        strict=True,
    )


def _yaml(figures: Intervals) -> str:
    return "".join(f"{name}: {round(found.value, 2)}\n" for name, found in figures.items())


def _heading(column: str) -> str:
    return f"R@{int(column[1:])}" if column[1:].isdigit() else column


def _shown(figure: Interval) -> str:
    return f"{figure.value:.2f} ±{figure.margin:.1f}"
