"""The HTTP API and the files that it gives away: the real server, and files read again."""

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from tmr.demo import Handlers
from tmr.demo.export import Part, Result, export, export_zip
from tmr.errors import InputError
from tmr.motion.animation import world_positions
from tmr.motion.read import read_motion
from tmr.motion.readers.bvh import read_bvh
from tmr.motion.skeleton import JOINTS, joint
from tmr.motion.writers import write_bvh
from tmr.search.library import Library


@pytest.fixture(scope="module")
def client(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{address}/api", timeout=120) as client:
        yield client


@pytest.fixture(scope="module")
def takes(handlers: Handlers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of BVH files at 30 frames a second, imported beside the main library."""
    folder = tmp_path_factory.mktemp("api") / "studio takes"
    session = handlers.session
    for number, entry in enumerate(session.main.entries("length > 3")[:3]):
        path = folder / "walks" / f"take {number}.bvh"
        write_bvh(path, session.main.joints(entry.key))
        path.write_text(path.read_text().replace("Frame Time: 0.050000", "Frame Time: 0.033333"))
    session.libraries.put(Library.of_folder(folder, session.model))
    return folder


def test_a_search_answers_what_the_page_shows(client: httpx.Client, handlers: Handlers):
    found = client.get("/search", params={"q": "a person waves", "k": 4}).json()["results"]
    hits = handlers.session.main.search("a person waves", 4)
    assert [motion["id"] for motion in found] == [f"synthetic/{hit.entry.key}" for hit in hits]
    first, entry = found[0], hits[0].entry
    assert first == {
        "id": f"synthetic/{entry.key}", "library": "synthetic", "file": entry.file,
        "start": entry.start, "end": entry.end, "score": pytest.approx(hits[0].score, abs=1e-4),
        "caption": entry.captions[0],
    }  # fmt: skip


def test_a_part_of_a_motion_is_given_as_a_file(client: httpx.Client):
    found = client.get("/search", params={"q": "walk", "k": 1, "min_seconds": 3}).json()["results"]
    motion, start = found[0]["id"], found[0]["start"]
    part = {"start": start + 0.5, "end": start + 1.5}
    answer = client.get(f"/motions/{motion}.bvh", params=part)
    first, last = round(20 * part["start"]), round(20 * part["end"])
    stem = motion.partition("/")[2]
    assert f'filename="{stem}_{first}-{last}.bvh"' in answer.headers["content-disposition"]
    assert "Frames: 20" in answer.text
    glb = client.get(f"/motions/{motion}.glb", params=part).content
    record = json.loads(glb[20 : 20 + int.from_bytes(glb[12:16], "little")])
    assert record["animations"][0]["name"] == f"{stem}_{first}-{last}"
    for kind, begin in {"npy": b"\x93NUMPY", "gif": b"GIF89a"}.items():
        assert client.get(f"/motions/{motion}.{kind}", params=part).content.startswith(begin)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/search", "q:"),
        ("/search?q=", "q:"),
        ("/search?q=" + "a" * 501, "q:"),
        ("/search?q=walk&k=101", "k:"),
        ("/search?q=walk&k=many", "k:"),
        ("/search?q=walk&min_seconds=nan", "min_seconds:"),
        ("/search?q=walk&library=none", "library:"),
        ("/search?q=%22a%22%20-%20%22a%22", "cancel out"),
        ("/motions/synthetic/none.bvh", "no motion"),
        ("/motions/none/none.bvh", "no library"),
        ("/motions/synthetic/none.exe", "format:"),
        ("/motions/../../etc/passwd.bvh", ""),
        ("/motions/synthetic/..%2f..%2fetc%2fpasswd.bvh", "no motion"),
        ("/motions/FIRST.bvh?start=2&end=1", "expected a part"),
        ("/motions/FIRST.bvh?start=-1", "start:"),
        ("/motions/FIRST.bvh?start=inf", "start:"),
        ("/motions/FIRST.bvh?start=900", "expected a part"),
    ],
)
def test_what_cannot_be_is_answered_with_a_sentence(client: httpx.Client, path: str, reason: str):
    first = client.get("/search?q=walk&k=1").json()["results"][0]["id"]
    answer = client.get(path.replace("FIRST", first))
    assert answer.status_code in (400, 404)
    assert reason in answer.json().get("error", "")


def test_the_api_describes_itself(client: httpx.Client):
    paths = client.get("/openapi.json").json()["paths"]
    assert {*paths} == {"/search", "/libraries", "/tags", "/motions/{id}.{format}", "/export"}
    assert "GET /api/search" in client.get("/docs").text


def test_a_tag_is_kept_and_narrows_a_search(client: httpx.Client):
    first, second = (motion["id"] for motion in client.get("/search?q=walk&k=2").json()["results"])
    given = client.post("/tags", json={"id": second, "tags": ["Boss  fight", "favorite", ""]})
    assert given.json() == {"id": second, "tags": ["boss fight", "favorite"]}
    for tag, found in {"boss fight": [second], "FAVORITE": [second], "none": []}.items():
        answer = client.get("/search", params={"q": "walk", "tag": tag}).json()
        assert [motion["id"] for motion in answer["results"]] == found
    assert client.post("/tags", json={"id": second, "tags": []}).json()["tags"] == []
    for bad in ({"id": first, "tags": ["a" * 41]}, {"id": "none/none", "tags": ["a"]}):
        assert client.post("/tags", json=bad).status_code == 400


def test_a_search_is_narrowed_by_name_and_length(client: httpx.Client):
    query = {"q": "a person walks", "k": 100, "min_seconds": 2, "max_seconds": 4}
    found = client.get("/search", params=query).json()["results"]
    assert all(2 <= motion["end"] - motion["start"] <= 4 for motion in found)
    name = found[0]["file"].rpartition("/")[2]
    answer = client.get("/search", params={"q": "a person walks", "name": name}).json()
    assert [motion["id"] for motion in answer["results"]] == [found[0]["id"]]


def test_a_bvh_file_tells_its_unit(client: httpx.Client):
    motion = client.get("/search?q=walk&k=1").json()["results"][0]["id"]
    for unit, meters in (("cm", "0.01"), ("m", "1")):
        headers = client.get(f"/motions/{motion}.bvh?unit={unit}").headers
        assert (headers["x-meters-per-unit"], headers["x-up-axis"]) == (meters, "y")


def test_motions_are_given_together_with_a_table(client: httpx.Client):
    found = client.get("/search", params={"q": "a person walks", "k": 3}).json()["results"]
    items = [{"id": motion["id"], "score": motion["score"]} for motion in found]
    items[1] |= {"start": found[1]["start"], "end": found[1]["start"] + 1}
    answer = client.post("/export", json={"items": items})
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("results.csv").decode())))
        assert [row["rank"] for row in rows] == ["1", "2", "3"]
        assert [float(row["score"]) for row in rows] == [item["score"] for item in items]
        assert {*archive.namelist()} == {"results.csv", *(row["file"] for row in rows)}
        assert b"Frames: 20\n" in archive.read(rows[1]["file"])
    assert rows[1]["file"].startswith("synthetic/")
    assert rows[0]["caption"] == found[0]["caption"]


@pytest.mark.parametrize(
    "given",
    [
        {"items": []},
        {"items": [{"id": "a/b"}] * 101},
        {"items": [{"id": 7}]},
        {"items": [{"id": "synthetic/none"}]},
        {"items": [{"id": "a/b", "start": True}]},
        {"items": [{"id": "a/b", "path": "/etc/passwd"}]},
        {"items": [{"id": "a/b"}], "format": "exe"},
        [],
    ],
)
def test_an_export_that_cannot_be_is_refused(client: httpx.Client, given: object):
    answer = client.post("/export", json=given)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_a_bvh_file_is_cut_from_its_source(handlers: Handlers, takes: Path, tmp_path: Path):
    part = Part("studio takes/walks/take 1", 1.0, 2.0)
    path = export(handlers.session, part, "bvh", tmp_path)
    assert path.name == "take_1_30-60.bvh"
    source, cut = read_bvh(takes / "walks/take 1.bvh"), read_bvh(path)
    np.testing.assert_array_equal(cut.values, source.values[30:60])
    assert cut.fps == pytest.approx(source.fps)
    moved = read_bvh(export(handlers.session, part, "bvh", tmp_path, to_origin=True))
    np.testing.assert_allclose(moved.values[0, [0, 2]], 0, atol=1e-6)
    assert moved.values[0, 1] == source.values[30, 1]


def test_other_files_are_as_tall_as_a_person(handlers: Handlers, takes: Path, tmp_path: Path):
    motion = handlers.session.main.entries("length > 3")[0].key
    part = Part(f"synthetic/{motion}")
    for meters, unit in ((False, 0.01), (True, 1)):
        path = export(handlers.session, part, "bvh", tmp_path, meters)
        bvh = read_bvh(path)
        named = [row for row, name in enumerate(bvh.names) if name]  # End Sites have none
        assert {bvh.names[row] for row in named} == {*JOINTS}
        positions = unit * world_positions(bvh, named)
        assert 1.2 < np.ptp(positions[..., 1], axis=1).max() < 2.1  # some bend low, not all along
        read = read_motion(path).joints
        assert read[0, joint("left_hip"), 0] > read[0, joint("right_hip"), 0]


def test_a_zip_keeps_the_folders_and_no_formula(handlers: Handlers, takes: Path, tmp_path: Path):
    results = [Result(Part(f"studio takes/walks/take {n}"), 0.5) for n in range(2)]
    export_zip(handlers.session, results, "bvh", tmp_path / "all.zip")
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert archive.namelist()[:2] == [
            "studio_takes/walks/take_0.bvh",
            "studio_takes/walks/take_1.bvh",
        ]
    with pytest.raises(InputError, match="1 to 100"):
        export_zip(handlers.session, [], "bvh", tmp_path / "none.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["all.zip"]
