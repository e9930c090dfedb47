"""What is wrong with a data set is found: statistics of other features above all."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from tmr.data import Annotation, Caption, TextMotionData, statistics
from tmr.data.check import check, split_table
from tmr.data.validate import inspect, spread
from tmr.errors import InputError
from tmr.text import EmbeddingCache, TextModel, embeddings_folder

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
STATS_REMEDY = "python -m prepare.motion_stats data=mine"


@pytest.fixture
def data(tmp_path: Path) -> TextMotionData:
    """Ten motions of 3 seconds with features, statistics and captions, nothing wrong with them."""
    rng = np.random.default_rng(0)
    motions = tmp_path / "motions" / "mine"
    motions.mkdir(parents=True)
    entries, splits = {}, {"train": [], "val": [], "test": []}
    for i in range(10):
        key = f"k{i}"
        np.save(motions / f"{key}.npy", rng.normal(size=(60, 263)).astype(np.float32))
        caption = {"seg_id": f"{key}_0", "text": f"motion {i}", "start": 0.0, "end": 3.0}
        entries[key] = {"path": f"mine/{key}", "duration": 3.0, "annotations": [caption]}
        splits["test" if i > 7 else "val" if i > 5 else "train"].append(key)
    folder = tmp_path / "annotations"
    (folder / "splits").mkdir(parents=True)
    (folder / "annotations.json").write_text(json.dumps(entries))
    for name, keys in splits.items():
        (folder / "splits" / f"{name}.txt").write_text("\n".join(keys))
    statistics(np.load(motions / f"{key}.npy") for key in splits["train"]).save(tmp_path / "stats")
    return TextMotionData("mine", str(folder), str(tmp_path / "motions"), str(tmp_path / "stats"))


def edit(data: TextMotionData, change) -> None:
    path = Path(data.annotations) / "annotations.json"
    entries = json.loads(path.read_bytes())
    change(entries)
    path.write_text(json.dumps(entries))


def test_nothing_is_wrong_with_a_good_data_set(data):
    report = inspect(data)
    assert (report.problems, report.notes) == ([], [])
    assert {s.name: (s.keys, len(s.usable), s.captions) for s in report.splits} == {
        "train": (6, 6, 6), "val": (2, 2, 2), "test": (2, 2, 2),
    }  # fmt: skip
    assert "3.0 to 3.0, median 3.0" in split_table(report.splits)


def test_statistics_of_features_that_were_written_again_are_stale_whatever_the_clock_says(data):
    """Features changed, statistics not, and the files' times say that the statistics are newer."""
    file = data.motion_file("mine/k0")
    np.save(file, np.load(file) + 0.1)
    os.utime(file, (0, 0))
    (problem,) = inspect(data).problems
    assert "are not those of the 6 training motions" in problem and problem.endswith(STATS_REMEDY)
    assert "off by up to 0.0" in problem  # a sixth of the frames moved by 0.1


def test_statistics_that_are_only_older_than_the_same_features_are_good(data):
    for file in Path(data.stats).iterdir():
        os.utime(file, (0, 0))
    assert inspect(data).problems == []


def test_features_of_other_splits_do_not_count_for_the_statistics(data):
    file = data.motion_file("mine/k9")
    np.save(file, np.load(file) + 1)
    assert inspect(data).problems == []


def test_missing_statistics_and_splits_are_problems(data):
    shutil.rmtree(data.stats)
    (Path(data.annotations) / "splits" / "val.txt").unlink()
    problems = inspect(data).problems
    assert [p.split(":")[0].split(" in ")[0] for p in problems] == [
        "no split val",
        "no statistics.safetensors",
    ]
    assert STATS_REMEDY in problems[1]


def test_motions_that_are_missing_or_broken_are_named(data):
    data.motion_file("mine/k9").unlink()
    data.motion_file("mine/k6").write_bytes(b"\x93NUMPY cut")
    np.save(data.motion_file("mine/k7"), np.zeros((60, 251), np.float32))
    report = inspect(data)
    assert ["k6.npy" in report.problems[0], "k7.npy" in report.problems[1]] == [True, True]
    assert "split val has no usable motion" in report.problems[2]
    assert report.notes[0].startswith("1 of 10 motions have no feature file, such as")
    test = report.split("test")
    assert test is not None and (test.without_motion, len(test.usable)) == (1, 1)


def test_captions_that_cannot_be_right_are_counted(data):
    def change(entries):
        entries["k1"]["annotations"][0]["text"] = " "
        entries["k2"]["annotations"][0]["end"] = 9.0
        entries["k3"]["annotations"] *= 2
        entries["k8"]["annotations"][0]["text"] = entries["k9"]["annotations"][0]["text"]
        entries["k0"]["annotations"][0]["end"] = 1.0
        del entries["k4"]

    edit(data, change)
    report = inspect(data)
    train, test = report.split("train"), report.split("test")
    assert train is not None and test is not None
    assert (train.without_annotation, train.wrong_length, test.repeated) == (1, 1, 2)
    text = "\n".join(report.problems + report.notes)
    assert "1 keys have an empty caption, such as k1" in text
    assert "1 keys have captions that end after their motion, such as k2" in text
    assert "1 keys have a caption twice, such as k3" in text


def test_splits_that_show_each_other_are_found(data):
    splits = Path(data.annotations) / "splits"
    (splits / "val.txt").write_text("k6 k7 k0")
    (splits / "test.txt").write_text("k8 k9 k9")
    edit(data, lambda entries: entries["k5"].update(path="M/mine/k8"))
    shutil.copytree(Path(data.motions) / "mine", Path(data.motions) / "M" / "mine")
    text = "\n".join((report := inspect(data)).problems + report.notes)
    assert "1 keys are in both train and val, such as k0" in text
    assert "split test lists 1 keys more than once" in text
    assert "1 training motions share seconds of a recording with a test motion, such as k5" in text


def test_missing_embeddings_are_a_problem_with_its_command(data):
    folder = embeddings_folder(data.annotations, "minilm")
    (folder.parent / "other").mkdir(parents=True)
    cache = EmbeddingCache(folder, TextModel("minilm", MINILM, MINILM, 384))
    (problem,) = check(data, cache).problems
    assert problem == (
        "10 of 10 captions have no embeddings by minilm: python -m prepare.text_embeddings "
        "data=mine language_model=minilm (there are those of language_model=other)"
    )


def test_the_picture_shows_motions_from_the_shortest_to_the_longest():
    def annotation(seconds: float) -> Annotation:
        return Annotation(f"k{seconds:04.1f}", "x", 9.0, (Caption("x", 1.0, 1.0 + seconds),))

    shown = spread([annotation(s) for s in (5.0, 1.0, 3.0, 2.0, 4.0)], 3)
    assert [a.key for a in shown] == ["k01.0", "k03.0", "k05.0"]
    assert len(spread(shown, 9)) == 3


def test_without_annotations_one_line_says_what_to_do(tmp_path):
    with pytest.raises(InputError, match="no annotations at"):
        inspect(TextMotionData("mine", str(tmp_path), "m", "s"))
