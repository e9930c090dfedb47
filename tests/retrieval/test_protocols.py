import numpy as np
import pytest
import torch

from tmr.errors import InputError
from tmr.retrieval import PROTOCOLS, Encoded, evaluate, evaluate_all
from tmr.retrieval.protocols import random_galleries
from tmr.retrieval.report import table, write_yaml


def encoded(count: int, noise: float, seed: int = 0) -> Encoded:
    generator = torch.Generator().manual_seed(seed)
    motion = torch.randn(count, 16, generator=generator)
    return Encoded(
        keys=tuple(f"{i:05d}" for i in range(count)),
        captions=tuple(f"caption {i}" for i in range(count)),
        text=motion + noise * torch.randn(count, 16, generator=generator),
        motion=motion,
        sentences=torch.nn.functional.normalize(torch.randn(count, 8, generator=generator), dim=1),
    )


@pytest.mark.parametrize("name", PROTOCOLS)
@pytest.mark.parametrize("tie_safe", [False, True])
def test_figures_do_not_depend_on_the_order_of_the_split(name, tie_safe):
    sample = encoded(100, noise=1.0)
    order = np.random.default_rng(3).permutation(100).tolist()
    shuffled = evaluate(sample.select(order), PROTOCOLS[name], tie_safe)
    assert shuffled == pytest.approx(evaluate(sample, PROTOCOLS[name], tie_safe))


def test_galleries_are_disjoint_and_the_partial_one_is_dropped():
    galleries = random_galleries(100, 32)
    assert [len(g) for g in galleries] == [32, 32, 32]
    assert len({i for g in galleries for i in g}) == 96


def test_galleries_follow_numpys_legacy_generator():
    np.random.seed(0)  # noqa: NPY002
    order = np.arange(70)
    np.random.shuffle(order)  # noqa: NPY002
    assert random_galleries(70, 32) == [order[:32].tolist(), order[32:64].tolist()]


def test_guo_is_easier_than_the_whole_split_and_counts_32():
    sample = encoded(320, noise=2.0)
    normal, guo = (evaluate(sample, PROTOCOLS[name]) for name in ("normal", "guo"))
    assert guo["t2m/R01"] > normal["t2m/R01"]
    assert guo["t2m/len"] == 32


def test_threshold_counts_a_motion_with_the_same_meaning():
    sample = encoded(40, noise=0.0)
    swapped = sample.text.clone()
    swapped[[0, 1]] = swapped[[1, 0]]
    twins = sample.sentences.clone()
    twins[1] = twins[0]
    confused = Encoded(sample.keys, sample.captions, swapped, sample.motion, twins)
    assert evaluate(confused, PROTOCOLS["normal"])["t2m/R01"] == 95
    assert evaluate(confused, PROTOCOLS["threshold_0.95"])["t2m/R01"] == 100


def test_a_split_that_is_missing_or_small_leaves_its_protocol_out():
    original, tie_safe = evaluate_all(lambda split: encoded(20, 1.0) if split == "test" else None)
    assert list(original) == list(tie_safe) == ["normal", "threshold_0.95"]


def test_a_gallery_larger_than_the_split_is_refused():
    with pytest.raises(InputError, match="galleries of 32 need as many motions; the split has 20"):
        evaluate(encoded(20, 1.0), PROTOCOLS["guo"])


def test_the_files_hold_the_original_names_and_the_table_both_rules(tmp_path):
    original, tie_safe = evaluate_all(lambda _: encoded(64, 1.0))
    paths = write_yaml(tmp_path, original)
    assert [p.name for p in paths] == [f"{name}.yaml" for name in PROTOCOLS]
    lines = dict(line.split(": ") for line in paths[0].read_text().splitlines())
    assert float(lines["t2m/R01"]) == round(original["normal"]["t2m/R01"], 2)
    columns = ("R01", "R02", "R03", "R05", "R10", "MedR", "len")
    names = {f"{way}/{column}" for way in ("t2m", "m2t") for column in columns}
    assert lines.keys() == names
    shown = table(original, tie_safe)
    assert shown.count("original") == shown.count("random") == 8
