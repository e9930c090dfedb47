"""Figures as people read them: a table on the screen and one YAML file a protocol."""

from collections.abc import Mapping
from pathlib import Path

from tmr.files import write_text
from tmr.retrieval.metrics import RECALLS

COLUMNS = (*(f"R{k:02d}" for k in RECALLS), "MedR")
WAYS = {"t2m": "text to motion", "m2t": "motion to text"}

Figures = Mapping[str, float]


def table(original: Mapping[str, Figures], tie_safe: Mapping[str, Figures]) -> str:
    """Every protocol both ways, by the original rule and under random tie-breaking."""
    heading = f"{'protocol':<15} {'query':<15} {'ties':<9}" + "".join(
        f"{_heading(c):>7}" for c in COLUMNS
    )
    lines = [heading + f"{'n':>6}", "-" * (len(heading) + 6)]
    for protocol in original:
        for way, label in WAYS.items():
            for rule, figures in (("original", original), ("random", tie_safe)):
                first = rule == "original"
                row = f"{protocol if first and way == 't2m' else '':<15} "
                row += f"{label if first else '':<15} {rule:<9}"
                row += "".join(f"{figures[protocol][f'{way}/{c}']:>7.2f}" for c in COLUMNS)
                lines.append(row + f"{figures[protocol][f'{way}/len']:>6.0f}")
    return "\n".join(lines)


def _heading(column: str) -> str:
    return f"R@{int(column[1:])}" if column[1:].isdigit() else column


def write_yaml(folder: Path, original: Mapping[str, Figures]) -> list[Path]:
    """One file a protocol, figures by the original rule rounded to two digits."""
    paths = []
    for protocol, figures in original.items():
        names = [f"{way}/{c}" for c in (*COLUMNS, "len") for way in WAYS]
        text = "".join(f"{name}: {round(figures[name], 2)}\n" for name in names)
        paths.append(folder / f"{protocol}.yaml")
        write_text(paths[-1], text)
    return paths
