import csv
import json
from dataclasses import asdict

import matplotlib.image
import pytest
import torch

from tests.retrieval.test_protocols import encoded
from tmr.retrieval import PROTOCOLS, evaluate_all
from tmr.retrieval.plots import draw
from tmr.retrieval.report import Report


@pytest.fixture(scope="module")
def splits():
    return {"test": encoded(70, 1.0, shared=2), "nsim_test": encoded(20, 1.0)}


@pytest.fixture(scope="module")
def report(splits) -> Report:
    return Report(evaluate_all(splits.get), resamples=200)


def test_yaml_files_hold_the_original_names_and_figures(report, tmp_path):
    paths = report.write_yaml(tmp_path)
    assert [p.name for p in paths] == [f"{name}.yaml" for name in PROTOCOLS]
    lines = dict(line.split(": ") for line in paths[0].read_text().splitlines())
    original = report.outcomes["normal"].figures()
    assert {name: float(value) for name, value in lines.items()} == pytest.approx(
        original, abs=0.005
    )
    columns = ("R01", "R02", "R03", "R05", "R10", "MedR", "len")
    assert lines.keys() == {f"{way}/{column}" for way in ("t2m", "m2t") for column in columns}


def test_the_table_has_both_rules_and_fits_a_terminal(report):
    lines = report.table().splitlines()
    assert max(map(len, lines)) <= 100
    assert sum("original" in line for line in lines) == 2 * len(PROTOCOLS)
    assert sum("tie-safe" in line for line in lines) == 2 * len(PROTOCOLS)
    shown = report.intervals["normal"]["original"]["t2m/R01"]
    row = lines[lines.index(next(line for line in lines if line.startswith("normal"))) + 1]
    assert f"{shown.value:.2f} ±{shown.margin:.1f}" in row


def test_columns_of_the_table_stay_apart_at_100():
    perfect = encoded(20, 0.0)
    rows = Report(evaluate_all({"test": perfect, "nsim_test": perfect}.get), resamples=20).table()
    for row in rows.splitlines():
        if "original" in row or "tie-safe" in row:
            cells = row[27:].split()
            assert len(cells) == 12 and all(cell.startswith("±") for cell in cells[1::2]), row
            assert float(cells[0]) == 100


def test_json_holds_every_figure_with_its_interval(report, tmp_path):
    report.write(tmp_path / "yaml", tmp_path, {"data": "x"})
    content = json.loads((tmp_path / "metrics.json").read_text())
    assert content["data"] == "x"
    assert content["protocols"].keys() == PROTOCOLS.keys()
    for name, protocol in content["protocols"].items():
        assert protocol["definition"] == asdict(PROTOCOLS[name])
        for rule in ("original", "tie-safe"):
            for figure in protocol[rule].values():
                assert figure["low"] <= figure["value"] <= figure["high"]
    caption = content["protocols"]["caption"]["ceiling"]
    assert caption["t2m/R01"] == 100 > content["protocols"]["normal"]["ceiling"]["t2m/R01"]


def test_each_rule_has_its_own_figures(report):
    for name, outcome in report.outcomes.items():
        for rule, tie_safe in (("original", False), ("tie-safe", True)):
            expected = outcome.figures(tie_safe)
            found = {figure: i.value for figure, i in report.intervals[name][rule].items()}
            assert found == pytest.approx({figure: expected[figure] for figure in found})
    rules = report.intervals["normal"]
    assert rules["original"] != rules["tie-safe"]  # captions are shared: there are ties


def test_ranks_of_single_queries_give_the_figures_back(report, tmp_path):
    report.write_ranks(tmp_path / "ranks.csv")
    rows = list(csv.DictReader((tmp_path / "ranks.csv").read_text(encoding="utf-8").splitlines()))
    for name, figures in report.figures.items():
        for way in ("t2m", "m2t"):
            mine = [r for r in rows if (r["protocol"], r["direction"]) == (name, way)]
            share = sum(float(row["rank_original"]) < 4 for row in mine) / len(mine)
            assert 100 * share == pytest.approx(figures[f"{way}/R03"])
    first = [row for row in rows if float(row["rank_original"]) == 1]
    assert all(row["cosine"] == row["retrieved_cosine"] for row in first)


def test_latex_rows_have_a_cell_for_each_figure(report):
    rows = [line for line in report.latex().splitlines() if not line.startswith("%")]
    assert len(rows) == 2 * len(PROTOCOLS)
    assert all(row.endswith(r"\\") and row.count("&") == 12 for row in rows)
    assert rows[1].startswith(r"threshold\_0.95 & ")


def test_pictures_are_drawn_for_what_there_is(report, splits, tmp_path):
    names = {p.stem for p in draw(tmp_path, report.outcomes, splits)}
    assert names == {"recall_curve", "rank_histogram", "worst_queries", "similarity_nsim"}
    for name in names:
        picture = matplotlib.image.imread(tmp_path / f"{name}.png")
        assert picture.std() > 0.02
    few = {"nsim": report.outcomes["nsim"]}
    assert {p.stem for p in draw(tmp_path / "few", few, {})} == {"recall_curve"}


def test_captions_with_mathematical_signs_are_drawn_as_they_are(tmp_path):
    sample = encoded(5, 1.0)
    odd = type(sample)(
        sample.keys, ("costs $5 or $x^", *sample.captions[1:]), sample.text,
        torch.flip(sample.motion, [0]), sample.sentences, sample.others,
    )  # fmt: skip
    draw(tmp_path, evaluate_all({"test": odd}.get), {"test": odd})
