"""Releases that the tests write, from real captions, in the form people download them."""

import csv
import gzip
import json
import re
import shlex
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tests.processes import completed
from tmr.data import TextMotionData, read_annotations
from tmr.data.releases import (
    detect_format,
    read_babel,
    read_humanml3d,
    read_kitml,
    read_table,
    with_mirrored,
    write_data_set,
)
from tmr.data.releases.babel import amass_path
from tmr.data.releases.build import Options, build_annotations
from tmr.data.releases.layout import annotations_json
from tmr.errors import InputError
from tmr.text.left_right import swap_sides

# Lines of texts/000000.txt and the window of index.csv as they are in the release.
TEXT_000000 = """\
a man kicks something or someone with his left leg.#a/DET man/NOUN kick/VERB leg/NOUN#0.0#0.0
the standing person kicks with their left foot before going back to their original stance.#the/DET\
 standing/NOUN#0.0#0.0
a man kicks with something or someone with his left leg.#a/DET man/NOUN kick/VERB leg/NOUN#0.0#0.0
he is flying kick with his left leg#he/PRON is/AUX fly/VERB kick/NOUN#0.0#0.0
"""


@cache
def published(shared: Path, name: str) -> dict:
    folder = shared / "data" / name
    if (folder / "annotations.json").exists():
        return json.loads((folder / "annotations.json").read_bytes())
    return json.loads(gzip.decompress((folder / "annotations.json.gz").read_bytes()))


def write_splits(folder: Path, **splits: str) -> None:
    for name in ("train", "val", "test"):
        (folder / f"{name}.txt").write_text(splits.get(name, "000000\n"))


def write_index(path: Path, windows: list[tuple[str, float, float, str]]) -> None:
    """``index.csv``: file, start and end in seconds, key."""
    rows = [f"./pose_data/{p}.npy,{start * 20:.0f},{end * 20:.0f},{k}.npy" for p, start, end, k in windows]  # fmt: skip  # noqa: E501
    path.write_text("\n".join(["source_path,start_frame,end_frame,new_name", *rows]) + "\n")


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A HumanML3D release of one motion, in a folder."""
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "000000.txt").write_text(TEXT_000000)
    write_index(tmp_path / "index.csv", [("KIT/3/kick_high_left02_poses", 0, 5.85, "000000")])
    write_splits(tmp_path)
    return tmp_path


def test_a_released_text_file_gives_the_published_captions(release, shared):
    built = annotations_json(read_humanml3d(release))
    assert built == {"000000": published(shared, "humanml3d")["000000"]}


def test_humanml3d_is_rebuilt_from_texts_and_index(shared, tmp_path, root):
    """All 24,516 keys of the published annotations, by the command, from an archive."""
    expected = published(shared, "humanml3d")
    with zipfile.ZipFile(tmp_path / "texts.zip", "w") as archive:
        for number, (key, entry) in enumerate(expected.items()):
            lines = []
            for caption in entry["annotations"]:
                # Most lines of the release have a full stop at the end, which is dropped.
                stop = " " if caption["text"].endswith(".") else "." if number % 3 else ""
                lines.append(f"{caption['text']}{stop}#a/DET man/NOUN#0.0#0.0\n")
            archive.writestr(f"texts/{key}.txt", "".join(lines))
    windows = [
        (e["path"], e["annotations"][0]["start"], e["annotations"][0]["end"], key)
        for key, e in expected.items()
        if not key.startswith("M")
    ]
    write_index(tmp_path / "index.csv", windows)
    (tmp_path / "HumanML3D").mkdir()
    splits = shared / "data" / "humanml3d" / "splits"
    for path in splits.iterdir():
        (tmp_path / "HumanML3D" / path.name).write_bytes(path.read_bytes())

    command = ["python", "-m", "prepare.annotations", "data=humanml3d"]
    options = [f"release={tmp_path}", f"data.annotations={tmp_path}/out"]
    done = completed(root, shlex.join([*command, *options]))
    assert done.returncode == 0, done.stderr
    built = json.loads((tmp_path / "out" / "annotations.json").read_bytes())
    assert built == expected and list(built) == list(expected)
    for path in splits.iterdir():
        assert (tmp_path / "out" / "splits" / path.name).read_bytes() == path.read_bytes()
    rows = re.findall(r"^(\w+) +(\d+) +(\d+) +(\d+) +[\d.]+$", done.stdout, flags=re.MULTILINE)
    counts = {source: (int(keys), int(mirrored)) for source, keys, mirrored, _ in rows}
    assert counts["CMU"] == (2666, 2666)
    assert counts["KIT"] == (3994, 3994)
    assert counts.pop("all") == (12258, 12258) and len(counts) == 17
    assert sum(keys for keys, _ in counts.values()) == 12258


def test_the_takes_of_one_archive_have_the_paths_of_a_flat_import(release):
    """CMU's of HumanML3D, mirrored ones too, as `data=cmu` names them."""
    (release / "texts" / "000001.txt").write_text("he turns left#x/X#0.0#0.0\n")
    windows = [("KIT/3/kick_poses", 0.0, 5.0, "000000"), ("CMU/08/08_09_poses", 0.0, 5.0, "000001")]
    write_index(release / "index.csv", windows)
    data = TextMotionData("cmu", f"{release}/out", f"{release}/none", f"{release}/none")
    build_annotations(data, release, Options(source="CMU"))
    built = json.loads((release / "out" / "annotations.json").read_bytes())
    assert {key: entry["path"] for key, entry in built.items()} == {
        "000001": "cmu/08_09", "M000001": "M/cmu/08_09",
    }  # fmt: skip
    assert built["M000001"]["annotations"][0]["text"] == "he turns right"
    with pytest.raises(InputError, match=r"options\.source=CUM: expected one of CMU, KIT"):
        build_annotations(data, release, Options(source="CUM"), overwrite=True)


def test_a_caption_of_a_part_lies_within_the_window(release):
    (release / "texts" / "000000.txt").write_text(
        "he turns#x/X#1.5#3.0\n\nhe stops.#x/X#4.0#99.0\nhe runs#a#b/NOUN#nan#nan\n"
    )
    write_index(release / "index.csv", [("CMU/a", 2.0, 9.0, "000000")])
    captions = read_humanml3d(release).annotations["000000"].captions
    assert [(c.text, c.start, c.end) for c in captions] == [
        ("he turns", 3.5, 5.0), ("he stops", 6.0, 9.0), ("he runs#a", 2.0, 9.0),
    ]  # fmt: skip


@pytest.mark.parametrize("line", ["he turns#x/X#2.0#2.0", "he turns.#x/X#10.0#4.5"])
def test_an_empty_span_is_the_whole_clip_and_repeated_captions_count_once(release, line, caplog):
    (release / "texts" / "000000.txt").write_text(f"{line}\nhe turns#x/X#0.0#0.0\n")
    (caption,) = read_humanml3d(release).annotations["000000"].captions
    assert (caption.text, caption.start, caption.end) == ("he turns", 0.0, 5.85)
    assert "000000.txt, line 1: the span" in caplog.text


def test_windows_to_the_end_of_a_file_that_is_not_there_are_left_out(release, caplog):
    windows = [("KIT/a", 1.0, 5.0, "000000"), ("humanact12/humanact12/P1", 0.0, -0.05, "000001")]
    write_index(release / "index.csv", windows)
    for key in ("000001", "M000001"):
        (release / "texts" / f"{key}.txt").write_text("he waves#x/X#0.0#0.0\n")
    data = read_humanml3d(release)
    assert list(data.annotations) == ["000000"]
    assert "2 of 3 text files left out: they describe motions to the end of a file" in caplog.text
    lengths = {"humanact12/humanact12/P1": 3.5}
    data = read_humanml3d(release, seconds_of=lengths.get)
    assert list(data.annotations) == ["000000", "000001", "M000001"]
    mirrored = data.annotations["M000001"]
    assert (mirrored.path, mirrored.duration) == ("M/humanact12/humanact12/P1", 3.5)
    assert mirrored.captions[0].end == 3.5


def test_the_official_release_comes_in_as_it_is(shared):
    data = read_humanml3d(shared / "data" / "humanml3d_release", seconds_of=lambda path: 4.0)
    # All 29,232 texts; 42 ids repeat a caption, as do their mirrored copies.
    assert len(data.annotations) == 29_232
    assert sum(a.path.startswith("M/") for a in data.annotations.values()) == 14_616
    of_humanact12 = [a for a in data.annotations.values() if "humanact12" in a.path]
    assert len(of_humanact12) == 2 * 1_191
    assert len(data.splits["test"]) == 4_384


def test_windows_of_trimmed_recordings_move_when_asked(release):
    windows = [("TotalCapture/s1/a", 1.0, 5.0, "000000")]
    write_index(release / "index.csv", windows)
    for trim, start in ((False, 1.0), (True, 2.0)):
        (caption, *_) = read_humanml3d(release, notebook_trim=trim).annotations["000000"].captions
        assert (caption.start, caption.end) == (start, start + 4)


def test_mirrored_copies_are_made_where_the_release_has_none(release):
    data = with_mirrored(read_humanml3d(release))
    assert list(data.annotations) == ["000000", "M000000"]
    copy = data.annotations["M000000"]
    assert copy.path == "M/KIT/3/kick_high_left02_poses"
    assert copy.captions[0].text == "a man kicks something or someone with his right leg"
    assert with_mirrored(data) == data


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("texts/000000.txt", "no separators", r"000000.txt, line 1: expected caption#words#start"),
        ("texts/000000.txt", "a#b#-3.0#2.0", r"000000.txt, line 1"),
        ("texts/000000.txt", b"\xff\xfe", "not UTF-8"),
        ("index.csv", "source,start_frame\n", "has no rows"),
        ("index.csv", "source,start,end,key\na,0,1,000000\n", "no field 'path'"),
        ("index.csv", "key,path,start,end\n000000,a,5,5\n", "line 2: the window ends at 5.0 s"),
        ("index.csv", "key,path,start,end\n000000,a,x,5\n", "line 2: 'x' is not a number of sec"),
        ("index.csv", "key,path,start,end\n000009,a,0,5\n", "are they of the same release"),
        ("index.csv", "key,path,start,end\n1,a,0,5\n1,b,0,5\n", "line 3: a second window of '1'"),
        ("train.txt", None, "no train.txt in"),
        ("index.csv", None, r"no index\.csv in"),
        ("texts", None, "no texts/ or texts.zip in"),
    ],
)
def test_a_broken_release_is_refused_by_name(release, name, content, message):
    path = release / name
    if content is None:
        path.rename(release.parent / f"gone-{release.name}-{path.name}")
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content)
    with pytest.raises(InputError, match=message):
        read_humanml3d(release)


def test_a_cut_archive_is_refused(release):
    (release / "texts").rename(release / "moved")
    (release / "texts.zip").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(InputError, match="neither a folder nor a whole zip archive"):
        read_humanml3d(release)


def test_kitml_is_rebuilt_from_its_release(shared, tmp_path):
    whole = published(shared, "kitml")
    some = [key for key in whole if not key.startswith("M")][::4]
    expected = {key: whole[key] for key in [*some, *(f"M{key}" for key in some)]}
    originals = {k: e for k, e in expected.items() if not k.startswith("M")}
    with zipfile.ZipFile(tmp_path / "2017-06-22.zip", "w") as archive:
        archive.writestr("99999_annotations.json", "[]")  # recorded, not described
        for key, entry in originals.items():
            texts = [c["text"] for c in entry["annotations"]]
            archive.writestr(f"{key}_annotations.json", json.dumps(texts))
            archive.writestr(f"{key}_meta.json", "{}")
    with (tmp_path / "windows.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["key", "path", "start", "end"])
        writer.writerows([k, f"{e['path']}.npz", 0, e["duration"]] for k, e in originals.items())
    splits = shared / "data" / "kitml" / "splits"
    for path in splits.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())

    data = with_mirrored(read_kitml(tmp_path / "2017-06-22.zip", tmp_path / "windows.csv"))
    built = annotations_json(data)
    assert built.keys() == expected.keys()
    assert {k: built[k] for k in originals} == originals
    pairs = [
        (ours["text"], theirs["text"])
        for key in expected
        for ours, theirs in zip(
            built[key]["annotations"], expected[key]["annotations"], strict=True
        )
    ]
    # The others are slips of the release: "an upleft jump".
    assert sum(ours != theirs for ours, theirs in pairs) <= 0.001 * len(pairs)
    assert data.splits["test"] == (splits / "test.txt").read_text().split()
    # The published annotations serve as an index as well.
    index = tmp_path / "annotations.json"
    index.write_bytes((shared / "data" / "kitml" / "annotations.json").read_bytes())
    assert read_kitml(tmp_path / "2017-06-22.zip", index).annotations.keys() == originals.keys()


def label(text, start=None, end=None, **more) -> dict:
    times = {} if start is None else {"start_t": start, "end_t": end}
    return {"raw_label": text, "proc_label": text, "act_cat": [text], "seg_id": "x"} | times | more


def babel(feature_path: str, whole: list, parts: list | None = None, dur: float = 9.0) -> dict:
    frame = None if parts is None else {"labels": parts}
    return {"feat_p": feature_path, "dur": dur, "seq_ann": {"labels": whole}, "frame_ann": frame}


def test_babel_segments_and_sequence_labels(tmp_path):
    walk = "CMU/CMU/75/75_11_poses.npz"
    train = {
        "12": babel(walk, [label("walk left")], [label("stop", 6.0, 9.5), label("turn", 0.0, 6.0)]),
        "13": babel("ACCAD/ACCAD/s/A3 - Swing_poses.npz", [label("swing"), label("swing")]),
        "14": babel(walk, [], [label("move on", 0, 3, proc_label="transition")]),
    }
    (tmp_path / "train.json").write_text(json.dumps(train))
    typed = label("jump", proc_label="leap")  # as an annotator typed it goes before as processed
    nothing_typed = label(None, proc_label="hop", act_cat=["hop"])
    (tmp_path / "val.json").write_text(json.dumps({"20": babel(walk, [typed, nothing_typed])}))
    (tmp_path / "extra_train.json").write_text(
        json.dumps(
            {"13": {"dur": 9.0, "seq_anns": [{"labels": [label("golf")]}], "frame_anns": []}}
        )
    )
    (tmp_path / "extra_val.json").write_text("{}")
    assert detect_format(tmp_path) == "babel"
    data = read_babel(tmp_path)
    assert data.splits == {
        "train": ["12", "13", "M12", "M13"], "val": ["20"], "all": ["12", "13", "M12", "M13", "20"],
    }  # fmt: skip
    built = annotations_json(data)
    assert built["12"]["path"] == "CMU/75/75_11_poses"
    assert [(c["text"], c["start"], c["end"]) for c in built["12"]["annotations"]] == [
        ("walk left", 0.0, 9.0), ("turn", 0.0, 6.0), ("stop", 6.0, 9.0),
    ]  # fmt: skip
    assert built["M12"]["annotations"][0]["text"] == "walk right"
    assert built["M12"]["annotations"][2]["act_cat"] == ["stop"]
    assert [c["text"] for c in built["13"]["annotations"]] == ["swing"]
    assert [c["text"] for c in built["20"]["annotations"]] == ["jump", "hop"]
    extra = read_babel(tmp_path, extra=True, mirror=False)
    assert [c.text for c in extra.annotations["13"].captions] == ["swing", "golf"]
    assert list(extra.annotations) == ["12", "13", "20"]


def test_babel_paths_are_those_of_humanml3d(shared):
    """Each AMASS file of HumanML3D, named as BABEL names it: the name of its archive in front."""
    paths = {entry["path"].removeprefix("M/") for entry in published(shared, "humanml3d").values()}
    for path in sorted(paths)[::20]:
        archive = path.partition("/")[0].replace("_", "")
        assert amass_path(f"{archive}/{path}.npz") == path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "expected an object of sequences by id"),
        ("{", "not valid JSON"),
        ('{"7": {"feat_p": "a/b/c.npz", "seq_ann": null}}', r"train.json, 7: not a sequence.*dur"),
        ('{"7": {"dur": 1, "seq_ann": null}}', r"train.json, 7.*feat_p"),
        ('{"7": {"feat_p": "a", "dur": 1, "seq_ann": {"labels": [{}]}}}', r"7.*raw_label"),
    ],
)
def test_a_broken_babel_file_is_refused(tmp_path, content, message):
    for name in ("train", "val"):
        (tmp_path / f"{name}.json").write_text(content)
    with pytest.raises(InputError, match=message):
        read_babel(tmp_path)


def test_sides_are_swapped_as_in_the_published_mirrored_captions(shared):
    entries = published(shared, "humanml3d")
    pairs = [
        (a["text"], b["text"])
        for key, entry in list(entries.items())[::10]  # 0, 2, 4 ... are the originals
        for a, b in zip(entry["annotations"], entries[f"M{key}"]["annotations"], strict=True)
    ]
    # The release turns counter-clockwise into counter-counterclockwise, and leaves "rightward".
    plain = [p for p in pairs if not re.search("clock|leftward|rightward", p[0])]
    assert len(plain) > 6_000
    assert [p for p in plain if swap_sides(p[0]) != p[1]] == []
    assert sum(swap_sides(a) == b for a, b in pairs) > 0.98 * len(pairs)


@pytest.mark.parametrize(
    ("text", "mirrored"),
    [
        ("Left, then RIGHT; left-handed.", "Right, then LEFT; right-handed."),
        ("turns leftwards on the left-hand side", "turns rightwards on the right-hand side"),
        ("anti-clockwise, counter clockwise, counterclockwise", "clockwise, clockwise, clockwise"),
        ("a clock-wise circle", "a counterclockwise circle"),
        ("upright, straight, all bright, o'clock", "upright, straight, all bright, o'clock"),
    ],
)
def test_words_of_side_and_turn(text, mirrored):
    assert swap_sides(text) == mirrored


def no_motion(path: str) -> tuple[str, float | None]:
    return f"mine/{path}", None


def write_csv(path: Path, rows: list[list[str]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def test_a_table_of_real_captions_as_csv_and_as_json(shared, tmp_path):
    entries = list(published(shared, "bandai").values())[:200]
    rows = [
        {"path": e["path"], "caption": c["text"], "start": c["start"], "end": c["end"]}
        for e in entries
        for c in e["annotations"]
    ]
    names = list(rows[0])
    table = write_csv(tmp_path / "a.csv", [names, *([str(r[n]) for n in names] for r in rows)])
    (tmp_path / "a.json").write_text(json.dumps(rows))
    shares = {"val": 0.1, "test": 0.2}
    built = read_table(table, lambda path: (path, None), shares, mirror=False)
    assert built == read_table(tmp_path / "a.json", lambda p: (p, None), shares, mirror=False)
    write_data_set(tmp_path / "out", built)
    found = {a.path: a for a in read_annotations(tmp_path / "out").values()}
    for entry in entries:
        assert found[entry["path"]].duration == entry["duration"]
        captions = [(c.text, c.start, c.end) for c in found[entry["path"]].captions]
        assert captions == [(c["text"], c["start"], c["end"]) for c in entry["annotations"]]
    assert 10 <= len(built.splits["val"]) <= 30 and 25 <= len(built.splits["test"]) <= 55
    # A motion stays in its split when others are taken away.
    half = write_csv(tmp_path / "b.csv", [names, *([str(r[n]) for n in names] for r in rows[::2])])
    fewer = read_table(half, lambda path: (path, None), shares, mirror=False)
    for split, keys in fewer.splits.items():
        assert set(keys) <= set(built.splits[split])


def test_motions_give_the_length_and_the_folder_that_a_table_leaves_out(tmp_path):
    data = TextMotionData("mine", str(tmp_path / "a"), str(tmp_path / "m"), "stats")
    (tmp_path / "m" / "mine" / "sub").mkdir(parents=True)
    np.save(tmp_path / "m" / "mine" / "sub" / "take 1.npy", np.zeros((50, 263), np.float32))
    table = write_csv(
        tmp_path / "t.csv",
        [
            ["caption", "path", "split", "end"],
            ['waves, "twice", left', "sub/take 1.bvh", "train", ""],
            ["waves", "sub\\take 1.bvh", "train", "1.5"],
        ],
    )
    built = build_annotations(data, table, Options())
    assert built.splits["train"] == ["sub_take_1", "Msub_take_1"]
    annotation = built.annotations["sub_take_1"]
    assert (annotation.path, annotation.duration) == ("mine/sub/take 1", 2.5)
    assert [(c.text, c.end) for c in annotation.captions] == [
        ('waves, "twice", left', 2.5), ("waves", 1.5),
    ]  # fmt: skip
    assert built.annotations["Msub_take_1"].captions[0].text == 'waves, "twice", right'
    with pytest.raises(InputError, match="overwrite=true"):
        build_annotations(data, table, Options())


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["path", "text"], ["a", "b"]], "no field 'caption', found path, text"),
        ([["path", "captions"], ["a", "b"]], "did you mean 'caption' where it says 'captions'"),
        ([["path", "caption"]], "has no rows"),
        ([["path", "caption"], ["a", ""]], "line 2: the caption is empty"),
        ([["path", "caption"], ["", "b"]], "line 2: the path is empty"),
        ([["path", "caption"], ["a", "b"]], "line 2: no end, and no motion file for 'mine/a'"),
        ([["path", "caption"], ["a", "b", "c"]], "line 2: 2 columns expected, more found"),
        ([["path", "caption", "end"], ["a", "b", "-1"]], "line 2: '-1' is not a number of sec"),
        (
            [["path", "caption", "end"], ["a", "b", "0"]],
            "line 2: the caption ends at 0.0 s, at",
        ),
        ([["path", "caption", "end", "key"], ["a", "b", "1", "x y"]], "line 2: the key 'x y'"),
        ([["path", "caption", "end", "split"], ["a", "b", "1", "dev"]], "splits .'dev'.; expected"),
    ],
)
def test_a_broken_table_is_refused_with_its_line(tmp_path, rows, message):
    table = write_csv(tmp_path / "t.csv", rows)
    with pytest.raises(InputError, match=message):
        read_table(table, no_motion, {"val": 0.1, "test": 0.1})


CUSTOM = {"val": 0.0, "test": 0.0}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [["a/b", "x", ""], ["a_b", "y", ""]],
            "line 3: the key 'a_b' of 'a_b' is that of 'a/b' .*2",
        ),
        ([["a b", "x", ""], ["a_b", "y", ""]], "line 3: the key 'a_b' of 'a_b' is that of 'a b'"),
        ([["a", "x", "k"], ["b", "y", "k"]], "line 3: the key 'k' of 'b' is that of 'a'"),
        ([["01", "x", ""], ["M01", "y", ""]], "line 3: the key 'M01' is that of the mirrored copy"),
    ],
)
def test_a_key_for_two_motions_is_refused_with_both_rows(tmp_path, rows, message):
    rows = [[path, caption, key, "2"] for path, caption, key in rows]
    table = write_csv(tmp_path / "t.csv", [["path", "caption", "key", "end"], *rows])
    with pytest.raises(InputError, match=message):
        read_table(table, no_motion, CUSTOM)


def test_parts_of_a_motion_may_have_keys_of_their_own(tmp_path):
    rows = [["a", "walks", "a1", "0", "2"], ["a", "sits", "a2", "2", "4"]]
    table = write_csv(tmp_path / "t.csv", [["path", "caption", "key", "start", "end"], *rows])
    assert list(read_table(table, no_motion, CUSTOM, mirror=False).annotations) == ["a1", "a2"]


def test_a_list_of_captions_is_several_captions(tmp_path):
    table = tmp_path / "t.json"
    entries = [{"path": "a", "caption": [" he walks", "he strolls"], "end": 2.5}]
    table.write_bytes(b"\xef\xbb\xbf" + json.dumps(entries).encode())
    (annotation,) = read_table(table, no_motion, CUSTOM, mirror=False).annotations.values()
    assert [(c.text, c.end) for c in annotation.captions] == [
        ("he walks", 2.5),
        ("he strolls", 2.5),
    ]
    for caption in ([["he walks"]], {"text": "he walks"}, 3, [None]):
        table.write_text(json.dumps([{"path": "a", "caption": caption, "end": 2.5}]))
        with pytest.raises(InputError, match="entry 1: expected a caption or a list of captions"):
            read_table(table, no_motion, CUSTOM)
    table.write_text(json.dumps([{"path": ["a"], "caption": "he walks", "end": 2.5}]))
    with pytest.raises(InputError, match=r"expected text or a number as path, got \['a'\]"):
        read_table(table, no_motion, CUSTOM)


def test_shares_must_leave_something_to_train_on(tmp_path):
    table = write_csv(tmp_path / "t.csv", [["path", "caption", "end"], ["a", "b", "1"]])
    with pytest.raises(InputError, match=r"shares of 0\.5 and 0\.5 leave nothing to train on"):
        read_table(table, no_motion, {"val": 0.5, "test": 0.5})


def test_what_is_no_release_is_said(tmp_path):
    with pytest.raises(InputError, match="is no release known here: expected texts/"):
        detect_format(tmp_path)
    with pytest.raises(InputError, match="no file or folder"):
        detect_format(tmp_path / "gone")
    (tmp_path / "00001_annotations.json").write_text("[]")
    assert detect_format(tmp_path) == "kitml"
    with pytest.raises(InputError, match="KIT-ML does not say which AMASS file"):
        read_kitml(tmp_path)
    data = TextMotionData("x", str(tmp_path / "a"), "m", "s")
    with pytest.raises(InputError, match="format=other: expected one of humanml3d, kitml, babel"):
        build_annotations(data, tmp_path, Options(), format="other")
