"""What generated motions are measured on and compared with, from files of a small data set."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tmr.data import Normalizer, TextMotionData
from tmr.errors import InputError
from tmr.generation.evaluation import Case, cases_of, mean_motion, table, training_clips


@pytest.fixture
def data(tmp_path: Path) -> Callable[[dict[str, tuple[int, float, float]]], TextMotionData]:
    """A data set whose test split has a motion of so many frames with a caption from, to."""

    def make(motions: dict[str, tuple[int, float, float]]) -> TextMotionData:
        entries = {}
        for key, (frames, start, end) in motions.items():
            np.save(tmp_path / f"{key}.npy", np.random.default_rng(0).normal(size=(frames, 263)))
            caption = {"seg_id": key, "text": f"text of {key}", "start": start, "end": end}
            entries[key] = {"path": key, "duration": frames / 20, "annotations": [caption]}
        (tmp_path / "annotations.json").write_text(json.dumps(entries))
        (tmp_path / "splits").mkdir()
        (tmp_path / "splits" / "test.txt").write_text("\n".join(motions))
        return TextMotionData("small", str(tmp_path), str(tmp_path), str(tmp_path))

    return make


def test_cases_are_the_described_parts_that_the_model_can_make(data) -> None:
    found = cases_of(
        data(
            {
                "whole": (60, 0.0, 3.0),
                "part": (200, 2.0, 5.0),
                "beyond": (50, 1.0, 9.0),
                "short": (9, 0.0, 0.45),
                "long": (240, 0.0, 12.0),
            }
        ),
        "test",
        longest=10.0,
    )
    assert [case.text for case in found] == ["text of whole", "text of part", "text of beyond"]
    assert [len(case) for case in found] == [60, 60, 30]
    part = np.load(found[1].file)[40:100].astype(np.float32)
    assert np.array_equal(found[1].read(), part)


def test_a_split_without_any_is_refused(data) -> None:
    with pytest.raises(InputError, match="split 'test' of 'small' has no motion to compare with"):
        cases_of(data({"short": (5, 0.0, 0.25)}), "test", longest=10.0)


def test_the_mean_motion_is_the_mean_in_every_frame() -> None:
    mean = torch.arange(263.0)
    real = [np.zeros((n, 263), np.float32) for n in (3, 5)]
    found = mean_motion(Normalizer(mean, torch.ones(263)))(["a", "b"], real)
    assert [len(motions) for motions in found] == [1, 1]
    assert np.array_equal(found[1][0], np.tile(mean.numpy(), (5, 1)))


@pytest.fixture
def training(tmp_path: Path) -> list[Case]:
    cases = []
    for i, frames in enumerate((30, 50, 80)):
        np.save(tmp_path / f"{i}.npy", np.full((frames + 10, 263), float(i)))
        cases.append(Case("", tmp_path / f"{i}.npy", 10, frames + 10))
    return cases


def test_training_clips_are_drawn_from_those_that_are_long_enough(training: list[Case]) -> None:
    real = [np.zeros((n, 263), np.float32) for n in (40, 20, 90)]
    drawn = training_clips(training, samples=200, seed=0)(["a", "b", "c"], real)
    assert [{len(clip) for clip in clips} for clips in drawn] == [{40}, {20}, {80}]
    which = [[int(clip[0, 0]) for clip in clips] for clips in drawn]
    assert [set(numbers) for numbers in which] == [{1, 2}, {0, 1, 2}, {2}]
    assert abs(np.bincount(which[1]) - 200 / 3).max() < 5 * np.sqrt(200 * 2 / 9)


def test_a_seed_draws_the_same_clips(training: list[Case]) -> None:
    real = [np.zeros((20, 263), np.float32)] * 8

    def which(seed: int) -> list[int]:
        drawn = training_clips(training, samples=2, seed=seed)([""] * 8, real)
        return [int(clip[0, 0]) for clips in drawn for clip in clips]

    assert which(3) == which(3)
    assert which(3) != which(4)


def test_the_table_has_a_line_a_figure_and_a_dash_where_there_is_none() -> None:
    lines = table(
        {"real": {"ape_root": 0.0, "fid": 0.0}, "made": {"ape_root": 0.25, "best_ape_root": 0.125}}
    ).splitlines()
    assert [" ".join(line.split()) for line in lines] == [
        "real made",
        "APE root, m 0.0000 0.2500",
        "best APE root, m - 0.1250",
        "FID 0.0000 -",
    ]
