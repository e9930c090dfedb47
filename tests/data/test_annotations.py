import gzip
import json

import pytest

from tmr.data import Annotation, Caption, TextMotionData, read_annotations, read_split
from tmr.data.dataset import frames_of
from tmr.errors import InputError


def data_of(shared, name: str) -> TextMotionData:
    return TextMotionData(name, str(shared / "data" / name), "motions", "stats")


def write(folder, entries) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "annotations.json").write_text(json.dumps(entries))


ENTRY = {
    "path": "walks/a",
    "duration": 4.5,
    "annotations": [{"seg_id": "a_0", "text": "a person walks", "start": 0.0, "end": 4.5}],
}


def test_an_entry_is_read_whole_from_json_and_from_gzip(tmp_path):
    write(tmp_path, {"a": ENTRY})
    expected = {"a": Annotation("a", "walks/a", 4.5, (Caption("a person walks", 0.0, 4.5),))}
    assert read_annotations(tmp_path) == expected
    packed = gzip.compress((tmp_path / "annotations.json").read_bytes())
    (tmp_path / "annotations.json.gz").write_bytes(packed)
    (tmp_path / "annotations.json").unlink()
    assert read_annotations(tmp_path) == expected


def test_what_is_remembered_is_what_the_file_says_now(tmp_path):
    """Whatever a caller did to what it got, and after the file has changed."""
    write(tmp_path, {"a": ENTRY})
    read_annotations(tmp_path).clear()
    assert read_annotations(tmp_path).keys() == {"a"}
    write(tmp_path, {"a": ENTRY, "b": ENTRY})
    assert read_annotations(tmp_path).keys() == {"a", "b"}


@pytest.mark.parametrize("name", ["bandai", "cmu", "humanml3d", "kitml"])
def test_public_releases_are_read_whole(shared, name):
    folder = shared / "data" / name
    packed = folder / "annotations.json.gz"
    content = gzip.decompress(packed.read_bytes()) if packed.exists() else None
    raw = json.loads(content or (folder / "annotations.json").read_bytes())
    read = read_annotations(folder)
    assert read.keys() == raw.keys()
    texts = sorted(c.text for a in read.values() for c in a.captions)
    assert texts == sorted(c["text"] for entry in raw.values() for c in entry["annotations"])


def test_training_takes_the_clips_of_2_to_10_seconds(shared):
    # 2,091 of 2,498: what the original code takes of this split.
    assert len(data_of(shared, "bandai").annotations_of("train")) == 2091


def test_test_splits_take_clips_of_any_length(shared):
    data = data_of(shared, "bandai")
    assert len(data.annotations_of("test")) == 431
    shortest = min(c.seconds for a in data.annotations_of("test") for c in a.captions)
    assert shortest < data.min_seconds


def test_keys_without_annotation_are_counted_once_and_left_out(shared, caplog):
    data = data_of(shared, "humanml3d")
    keys = read_split(shared / "data" / "humanml3d", "test")
    found = data.annotations_of("test")
    assert 0 < len(found) < len(keys)
    assert [r.getMessage() for r in caplog.records] == [
        f"split test: {len(keys) - len(found)} of {len(keys)} keys left out: no annotation"
    ]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"a": {"path": "x", "durations": 1, "annotations": []}}, "'a': no field 'duration'.*mean"),
        ({"a": ENTRY | {"annotations": [{"txt": "x"}]}}, "'a': no field 'text'"),
        ({"a": ENTRY | {"duration": "long"}}, "'a': field 'duration' has the wrong type"),
        ({"a": []}, "'a': expected an object"),
        ([ENTRY], "holds a list; expected"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path, entries, message):
    write(tmp_path, entries)
    with pytest.raises(InputError, match=message):
        read_annotations(tmp_path)


def test_missing_or_broken_files_say_what_to_do(tmp_path):
    with pytest.raises(InputError, match=r"no annotations at .*annotations\.json; put"):
        read_annotations(tmp_path)
    (tmp_path / "annotations.json").write_text('{"a": ')
    with pytest.raises(InputError, match="not valid JSON"):
        read_annotations(tmp_path)
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "train.txt").write_text("a\n")
    with pytest.raises(InputError, match=r"no split 'tset' .* splits found: \['train'\]"):
        read_split(tmp_path, "tset")


@pytest.mark.parametrize(
    ("start", "end", "frames"),
    [(0.0, 2.45, (0, 49)), (1.0, 99.0, (20, 60)), (0.35, 0.8, (7, 16)), (4.0, 5.0, (60, 60))],
)
def test_captions_are_cut_at_20_frames_a_second_inside_the_motion(start, end, frames):
    assert frames_of(Caption("x", start, end), num_frames=60) == frames
