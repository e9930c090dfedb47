"""Label sets as they are written, and recognition of worked cases."""

import re

import numpy as np
import pytest
import torch
import yaml

from tmr.data import Annotation, Caption
from tmr.errors import InputError
from tmr.zero_shot import (
    LabelSet,
    draw_confusion,
    evaluate_recognition,
    label_probabilities,
    summary,
    truth_table,
)

BANDAI = [
    ("bandai/dataset-2_raise-up-both-hands_active_011", "raise-up-both-hands", "active"),
    ("bandai/dataset-2_walk-turn-left_feminine_003", "walk-turn-left", "feminine"),
    ("bandai/dataset-1_walk_active_001", None, None),
]


def label_set(root, name: str) -> LabelSet:
    return LabelSet(**yaml.safe_load((root / f"configs/labels/{name}.yaml").read_text("utf-8")))


@pytest.mark.parametrize(("path", "content", "style"), BANDAI)
def test_bandai_labels_are_read_from_file_names(root, path, content, style):
    annotation = Annotation("b1", path, 3.0, ())
    for name, wanted in (("bandai_content", content), ("bandai_style", style)):
        parts = label_set(root, name).parts(annotation)
        assert [truths for _, truths in parts] == ([{wanted}] if wanted else [])


def test_bandai_has_ten_contents_and_seven_styles(root):
    assert len(label_set(root, "bandai_content").labels) == 10
    style = label_set(root, "bandai_style")
    assert len(style.labels) == 7
    assert all(len(cases) == 10 for cases in style.prompts.values())
    assert all(sum(map(len, cases)) == 20 for cases in style.prompts.values())
    energetic = ["a person waves both hands energetically",
                 "a person waves both hands with a lot of energy"]  # fmt: skip
    assert energetic in style.prompts["active"]


def test_babel_60_are_the_first_of_babel_120(root):
    few, many = (label_set(root, f"babel_{n}").labels for n in (60, 120))
    assert (len(few), len(set(few)), len(many), len(set(many))) == (60, 60, 120, 120)
    assert many[:60] == few
    assert not any(re.search(r"\s\s|^\s|\s$", label) for label in many)


def test_babel_parts_have_all_their_categories(root):
    captions = (
        Caption("walks in a circle", 0.0, 2.0, ("walk", "circular movement", "unknown")),
        Caption("mumbles", 2.0, 3.0, ("unknown",)),
        Caption("no categories", 0.0, 3.0),
    )
    parts = label_set(root, "babel_60").parts(Annotation("1", "x", 3.0, captions))
    assert parts == [(captions[0], frozenset({"walk", "circular movement"}))]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"phrases": ["one"]}, "expected two"),
        ({"phrases": {"a": ["a"], "b": []}}, "no phrase"),
        ({"phrases": ["a", "b"], "templates": ["a person"]}, "without {}"),
        ({"phrases": ["a", "b"], "pattern": "x"}, "no group"),
    ],
)
def test_label_sets_without_meaning_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        LabelSet("mine", **options)


def test_probabilities_are_bayes_rule_with_means_of_phrases_and_mixtures_of_templates():
    motions = torch.randn(5, 4)
    prompts = [[torch.randn(3, 4), torch.randn(2, 4)], [torch.randn(1, 4)]]
    found = label_probabilities(motions, prompts, temperature=0.2)
    for motion, row in zip(motions, found, strict=True):
        likelihoods = []
        for cases in prompts:
            means = [(some / some.norm(dim=1, keepdim=True)).mean(dim=0) for some in cases]
            cosines = [float(torch.cosine_similarity(motion, mean, dim=0)) for mean in means]
            likelihoods.append(np.mean(np.exp(np.array(cosines) / 0.2)))
        np.testing.assert_allclose(row, np.array(likelihoods) / sum(likelihoods), rtol=1e-4)


def test_a_worked_case_with_two_true_labels():
    labels = ["walk", "run", "turn"]
    probabilities = np.array([[0.6, 0.1, 0.3], [0.2, 0.7, 0.1], [0.5, 0.3, 0.2]])
    truths = truth_table([frozenset({"walk", "turn"}), frozenset({"walk", "turn"}),
                          frozenset({"walk"})], labels)  # fmt: skip
    found = evaluate_recognition(probabilities, truths)
    assert found.hits[:, 0].tolist() == [True, False, True]
    assert found.hits[:, 1].all()
    np.testing.assert_allclose(found.per_label, [2 / 3, np.nan, 1 / 2])
    assert found.mean_per_label == pytest.approx((2 / 3 + 1 / 2) / 2)
    np.testing.assert_allclose(found.confusion, [[2, 0.5, 0], [0, 0, 0], [0, 0.5, 0]])
    shown = summary({"top-1": "66.67"}, labels, found)
    assert "walk    66.67  taken for run" in shown
    assert "\nrun" not in shown


def test_the_confusion_matrix_is_drawn_for_few_and_many_labels(tmp_path):
    for count in (3, 40):
        path = tmp_path / f"{count}.png"
        draw_confusion(path, np.eye(count), [f"label {i}" for i in range(count)], "title")
        assert path.read_bytes().startswith(b"\x89PNG")
