"""Joined data sets: what a test set shows is not trained on, counted frame by frame."""

import json
import random

import pytest

from tmr.data import Annotation, Caption
from tmr.data.merge import combine, combine_data_sets, joined_table, read_data_set, recording
from tmr.data.releases import DataSet
from tmr.errors import InputError

RECORDINGS = ("CMU/01/01_02_poses", "KIT/3/walk 1_poses", "KIT/4/walk 1_poses")


def data_set(seed: int, keys: int = 30) -> DataSet:
    """Keys with one to three captions of random whole seconds of few recordings."""
    rng = random.Random(seed)
    annotations, splits = {}, {"train": [], "val": [], "test": [], "nsim_test": []}
    for i in range(keys):
        path = rng.choice(["", "M/"]) + rng.choice(RECORDINGS)
        key = ("M" if path.startswith("M/") else "") + f"{i:03d}"
        captions = []
        for _ in range(rng.randint(1, 3)):
            start = rng.randint(0, 40)
            end = start + rng.randint(1, 5)
            captions.append(Caption(f"text {rng.random()}", float(start), float(end)))
        annotations[key] = Annotation(key, path, 50.0, tuple(captions))
        splits[rng.choice(["train", "train", "train", "val", "test"])].append(key)
    splits["nsim_test"] = splits["test"][:2]
    splits["train"].append("unknown")
    return DataSet(annotations, splits)


def shown(data: DataSet, split: str) -> set[tuple[str, int]]:
    """Each second of each recording that a split's captions describe."""
    return {
        (data.annotations[key].path.removeprefix("M/"), second)
        for key in data.splits[split]
        if key in data.annotations
        for c in data.annotations[key].captions
        for second in range(int(c.start), int(c.end))
    }


@pytest.mark.parametrize("seed", range(5))
def test_no_second_of_a_test_set_is_trained_on_and_nothing_else_is_dropped(seed):
    sets = {"a": data_set(seed), "b": data_set(seed + 100)}
    joined, report = combine(sets)
    test = shown(sets["a"], "test") | shown(sets["b"], "test")
    val = shown(sets["a"], "val") | shown(sets["b"], "val")
    assert shown(joined, "train") & (test | val) == set()
    assert shown(joined, "val") & test == set()
    assert shown(joined, "test") == test
    kept = {c.text for key in joined.splits["train"] for c in joined.annotations[key].captions}
    for data in sets.values():
        for key in data.splits["train"][:-1]:
            annotation = data.annotations[key]
            path = annotation.path.removeprefix("M/")
            for c in annotation.captions:
                seconds = {(path, second) for second in range(int(c.start), int(c.end))}
                assert (c.text in kept) == (not seconds & (test | val))
    total = sum(len(data.splits["train"]) - 1 for data in sets.values())
    rows = [row for row in report if row.split == "train"]
    assert sum(row.keys + row.dropped_keys for row in rows) == total
    assert sum(row.keys for row in rows) == len(joined.splits["train"])


def test_keys_are_told_apart_and_each_test_set_stays_by_itself():
    sets = {"a": data_set(1), "b": data_set(2)}
    joined, _ = combine(sets)
    assert set(joined.splits["test"]) == set(joined.splits["a_test"] + joined.splits["b_test"])
    assert len(joined.splits["a_nsim_test"]) == 2
    for key, annotation in joined.annotations.items():
        assert annotation.key == key
        assert key.startswith("M") == annotation.path.startswith("M/")
        assert key.removeprefix("M")[:2] in ("a_", "b_")


def test_seconds_may_be_shared_when_allowed():
    def one(split: str, start: float, end: float) -> DataSet:
        annotation = Annotation("k", "CMU/x", 9.0, (Caption(split, start, end),))
        other = Annotation("o", "CMU/other", 9.0, (Caption("o", 0.0, 1.0),))
        splits = {"train": ["o"], "test": []}
        splits[split] = [*splits[split], "k"]
        return DataSet({"k": annotation, "o": other}, splits)

    sets = {"a": one("train", 0.0, 5.0), "b": one("test", 4.0, 9.0)}
    assert "a_k" not in combine(sets)[0].splits["train"]
    assert "a_k" in combine(sets, allowed=1.0)[0].splits["train"]
    touching = {"a": one("train", 0.0, 4.0), "b": one("test", 4.0, 9.0)}
    assert "a_k" in combine(touching)[0].splits["train"]


@pytest.mark.parametrize(
    ("path", "other", "same"),
    [
        ("CMU/08/08_09_poses", "cmu/08_09", True),
        ("M/CMU/08/08_09_poses", "CMU/08/08_09_stageii", True),
        ("ACCAD/Female1_c3d/A3 - Swing t2_poses", "ACCAD/Female1_c3d/A3_-_Swing_t2_stageii", True),
        ("KIT/3/walk_poses", "KIT/4/walk_poses", False),
        ("CMU/08/08_09_poses", "CMU/08/08_10_poses", False),
        ("EKUT/300/x_poses", "KIT/300/x_poses", False),
    ],
)
def test_a_recording_is_recognized_by_its_names(path, other, same):
    assert (recording(path) == recording(other)) == same


def test_cmu_takes_are_recognized_under_both_names(shared, tmp_path):
    """Real captions: of CMU windows by our file names, and of KIT-ML by AMASS's."""
    (tmp_path / "cmu").symlink_to(shared / "data" / "cmu")
    kitml = shared / "data" / "kitml"
    entries = json.loads((kitml / "annotations.json").read_bytes())
    of_cmu = {key: entry for key, entry in entries.items() if "CMU/" in entry["path"]}
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit" / "annotations.json").write_text(json.dumps(of_cmu))
    (tmp_path / "kit" / "splits").symlink_to(kitml / "splits")
    report = combine_data_sets(tmp_path, ["cmu", "kit"], "both")
    both = read_data_set(tmp_path / "both")
    frames = {
        split: {
            (recording(both.annotations[key].path), frame)
            for key in both.splits[split]
            for c in both.annotations[key].captions
            for frame in range(round(c.start * 20) + 1, round(c.end * 20))
        }
        for split in ("train", "val", "test")
    }
    assert frames["train"] and not frames["train"] & (frames["val"] | frames["test"])
    cmu_test = {recording(both.annotations[key].path) for key in both.splits["cmu_test"]}
    assert cmu_test & {recording(entry["path"]) for entry in of_cmu.values()}
    dropped = {(row.name, row.split): row.dropped_keys for row in report}
    assert dropped["kit", "train"] > 0 and dropped["cmu", "test"] == 0
    assert "kit       train" in joined_table(report)
    with pytest.raises(InputError, match="overwrite=true"):
        combine_data_sets(tmp_path, ["cmu", "kit"], "both")


@pytest.mark.parametrize("names", [["a", "a"], ["a", "both"]])
def test_names_must_differ(tmp_path, names):
    with pytest.raises(InputError, match="expected different names"):
        combine_data_sets(tmp_path, names, "both")


def test_one_data_set_or_none_to_train_on_is_refused():
    with pytest.raises(InputError, match="at least two data sets, got 1"):
        combine({"a": data_set(1)})
    with pytest.raises(InputError, match="no training split in b"):
        combine({"a": data_set(1), "b": DataSet({}, {"test": []})})


def test_an_epoch_shows_a_repeated_set_as_often_as_asked_for():
    sets = {"a": data_set(1), "b": data_set(2)}
    once, _ = combine(sets)
    joined, _ = combine(sets, repeats={"a": 3})
    for key in once.splits["train"]:
        assert joined.splits["train"].count(key) == (3 if "a_" in key else 1)
    assert all(joined.splits[name] == once.splits[name] for name in ("val", "test", "all"))
    with pytest.raises(InputError, match=r"c: 2.*some of a, b"):
        combine(sets, repeats={"c": 2})
