"""The page's handlers as library calls, on a small library."""

import hashlib
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tmr.demo import Handlers, serve, session
from tmr.demo.export import millimeters
from tmr.demo.handlers import MOMENTS, TAKES, Limits
from tmr.demo.libraries import Libraries
from tmr.demo.results_view import SKELETON
from tmr.errors import InputError
from tmr.motion.conventions import Overrides
from tmr.motion.writers import write_bvh
from tmr.search.stores.memory import MemoryStore

LIMITS = Limits("synthetic", top=6)
STATIC = Path(session.__file__).parent / "static"


def ids(value: dict) -> list[str]:
    return [item["id"] for item in value["items"]]


def wait_until(done: Callable[[], bool]) -> None:
    """Wait for what is encoded in the background."""
    for _ in range(600):
        if done():
            return
        time.sleep(0.1)
    raise AssertionError("not encoded after a minute")


def test_a_search_shows_what_the_library_finds(handlers: Handlers):
    value = handlers.search("a person waves", LIMITS)
    hits = handlers.session.main.search("a person waves", top=6)
    assert ids(value) == [f"synthetic/{hit.entry.key}" for hit in hits]
    assert [item["score"] for item in value["items"]] == [round(hit.score, 4) for hit in hits]


def test_one_sentence_combined_is_a_search(handlers: Handlers):
    one = handlers.combine(["a person waves", "", "no"], [0.5, 1.0, 0.0], LIMITS)
    assert ids(one) == ids(handlers.search("a person waves", LIMITS))
    mixed = handlers.combine(["a person waves", "angry", "turning"], [1.0, 0.5, -0.5], LIMITS)
    asked = handlers.search(mixed["query"]["q"], LIMITS)
    assert (asked["heading"], ids(asked)) == (mixed["heading"], ids(mixed))


def test_a_part_of_a_motion_finds_motions_like_the_part(handlers: Handlers):
    motion = ids(handlers.search("a person waves", LIMITS))[0]
    part = f"{motion}#t=0.50,1.75"
    found = handlers.more_like_this(part, LIMITS)
    session = handlers.session
    latent = session.model.encode_motions([session.features(motion, 0.5, 1.75)])[0]
    key = motion.partition("/")[2]
    hits = session.main.search(latent, top=6, exclude=[key])
    assert ids(found) == [f"synthetic/{hit.entry.key}" for hit in hits]
    assert found["heading"].endswith(", 0.5 to 1.8 s")
    assert found["query"]["like"] == part
    with pytest.raises(InputError, match=r"part of 0.2 s, expected at least 0.5 s"):
        handlers.more_like_this(f"{motion}#t=0.50,0.70", LIMITS)


def test_a_mix_that_only_forbids_is_refused(handlers: Handlers):
    with pytest.raises(InputError, match="weight above 0"):
        handlers.combine(["a person waves", "", ""], [-1.0, 1.0, 1.0], LIMITS)


def test_an_uploaded_copy_finds_its_original_first(handlers: Handlers, tmp_path: Path):
    motion = ids(handlers.browse(LIMITS))[2]
    np.save(tmp_path / "copy.npy", handlers.session.features(motion))
    value = handlers.more_like_this(handlers.session.add_upload(tmp_path / "copy.npy"), LIMITS)
    upload, original = value["items"][:2]
    assert upload["badge"] == "your file"
    assert original["id"] == motion
    assert original["score"] == pytest.approx(1, abs=1e-4)
    assert handlers.sentences(upload["id"]) == handlers.sentences(motion)
    assert upload["id"] not in ids(handlers.more_like_this(motion, LIMITS))


def test_a_file_that_is_no_motion_is_named_without_its_folder(handlers: Handlers, tmp_path: Path):
    for name, content in {"a.bvh": b"HIERARCHY", "b.npy": b"nothing", "c.txt": b""}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=f"^{name}: ") as error:
            handlers.session.add_upload(tmp_path / name)
        assert str(tmp_path) not in str(error.value)


def test_old_uploads_are_forgotten_first(
    handlers: Handlers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(session, "REMEMBERED", 2)
    motions = ids(handlers.browse(LIMITS))[:3]
    uploads = []
    for motion in motions:
        np.save(tmp_path / "motion.npy", handlers.session.features(motion))
        uploads.append(handlers.session.add_upload(tmp_path / "motion.npy"))
    with pytest.raises(InputError, match="give the file again"):
        handlers.session.joints(uploads[0])
    assert len(handlers.session.joints(uploads[2]))


def test_moments_lie_inside_the_motion_and_the_curve_has_every_frame(handlers: Handlers):
    motion = ids(handlers.search("a person walks", Limits("synthetic", min_seconds=5.0)))[0]
    value = handlers.find_moments(motion, "a person turns")
    seconds = len(handlers.session.features(motion)) / SKELETON["fps"]
    assert len(value["curve"]) == len(handlers.session.features(motion))
    assert all(0 <= m["start"] < m["end"] <= seconds for m in value["moments"])


def test_the_map_has_every_motion_in_a_named_group_or_with_its_score(handlers: Handlers):
    plain = handlers.latent_map("synthetic")
    originals = [e for e in handlers.session.main.entries() if not e.take.mirrored]
    assert len(plain["items"]) == len(originals)
    assert {item["group"] for item in plain["items"]} == set(range(len(plain["groups"])))
    scored = handlers.latent_map("synthetic", "a person jumps")
    best = max(scored["items"], key=lambda item: item["score"])
    assert best["id"] == ids(handlers.search("a person jumps", LIMITS))[0]


def test_a_folder_is_imported_with_progress_and_searched(handlers: Handlers, tmp_path: Path):
    motions = ids(handlers.browse(LIMITS))[:3]
    for number, motion in enumerate(motions):
        write_bvh(tmp_path / "mine" / f"take{number}.bvh", handlers.session.joints(motion))
    seen = []
    name, _ = handlers.import_folder(f'"{tmp_path / "mine"}"', lambda *done: seen.append(done))
    assert seen[-1] == (3, 3)
    value = handlers.search("a person walks", Limits(name, show=TAKES))
    assert sorted(ids(value)) == ["mine/take0", "mine/take1", "mine/take2"]
    # It has no captions of its own: those of the main library describe it.
    assert len(handlers.sentences("mine/take0", 3)) == 3


def test_moments_of_all_takes_are_found_beside_whole_takes(handlers: Handlers, tmp_path: Path):
    session = handlers.session
    parts = [session.features(motion) for motion in ids(handlers.browse(LIMITS))[:4]]
    (tmp_path / "long").mkdir()
    np.save(tmp_path / "long" / "all.npy", np.concatenate(parts))
    np.save(tmp_path / "long" / "short.npy", parts[0][:50])
    name, _ = handlers.import_folder(str(tmp_path / "long"), lambda *_: None)
    wait_until(lambda: name not in session.libraries.encoding)
    value = handlers.search("a person walks", Limits(name, show=MOMENTS))
    whole = handlers.search("a person walks", Limits(name, show=TAKES))
    assert {*ids(value)} <= {f"{name}/all", f"{name}/short"}
    first = next(item for item in value["items"] if item["id"] == f"{name}/all")
    start, end = first["moment"]
    assert 0 <= start < end <= first["seconds"]
    frames = sum(map(len, parts))
    assert first["seconds"] == pytest.approx(frames / SKELETON["fps"], abs=0.06)
    assert [item["moment"] for item in whole["items"]] == [None, None]
    both = handlers.search("a person walks", Limits(name))["items"]
    for item in both:  # whole where that fits better than every moment that is not all of it
        parts = [
            i["score"] for i in value["items"]
            if i["id"] == item["id"] and i["moment"][1] - i["moment"][0] < 0.75 * i["seconds"]
        ]  # fmt: skip
        assert item["moment"] is not None or all(score <= item["score"] for score in parts)
    assert ids(handlers.search("walk", Limits(name, min_seconds=4.0))) == [
        f"{name}/all" for item in handlers.search("walk", Limits(name, min_seconds=4.0))["items"]
    ]
    assert len(handlers.examples(name)) > 0
    session.libraries.remove(name)
    assert name not in session.libraries.moments


def test_files_that_were_left_out_are_tried_again(handlers: Handlers, tmp_path: Path):
    motions = ids(handlers.browse(LIMITS))[:2]
    folder = tmp_path / "odd"
    for number, motion in enumerate(motions):
        write_bvh(folder / f"{number}.bvh", handlers.session.joints(motion))
    odd = folder / "1.bvh"
    odd.write_text(odd.read_text().replace("Frame Time: 0.050000", "Frame Time: 0.000000"))
    name, value = handlers.import_folder(str(folder), lambda *_: None)
    assert [left["file"] for left in value["left_out"]] == ["1.bvh"]
    with pytest.raises(InputError, match="no longer left out"):
        handlers.retry(name, ["0.bvh"], Overrides(fps=20), lambda *_: None)
    value = handlers.retry(name, ["1.bvh"], Overrides(fps=20), lambda *_: None)
    assert (value["left_out"], len(value["items"])) == ([], 2)
    assert "1.bvh,,20,,," in (folder / "overrides.csv").read_text()
    handlers.session.libraries.remove(name)


def test_a_folder_that_is_missing_is_named(handlers: Handlers, tmp_path: Path):
    with pytest.raises(InputError, match=r"no such folder on this computer"):
        handlers.import_folder(str(tmp_path / "nowhere"), lambda *_: None)


def test_libraries_stay_apart_are_refreshed_and_removed(handlers: Handlers, tmp_path: Path):
    session = handlers.session
    motions = [session.joints(motion) for motion in ids(handlers.browse(LIMITS))[:3]]
    one, two = tmp_path / "a" / "synthetic", tmp_path / "b" / "synthetic"
    write_bvh(one / "walk.bvh", motions[0])
    write_bvh(two / "run.bvh", motions[1])
    (two / "broken.bvh").write_text("HIERARCHY")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "broken.bvh").write_text("HIERARCHY")
    bad, value = handlers.import_folder(str(tmp_path / "bad"), lambda *_: None)
    assert [left["file"] for left in value["left_out"]] == ["broken.bvh"]
    assert handlers.search("a person walks", Limits(bad))["items"] == []
    assert handlers.examples(bad) == []
    session.libraries.remove(bad)
    first, _ = handlers.import_folder(str(one), lambda *_: None)
    second, value = handlers.import_folder(str(two), lambda *_: None)
    assert (first, second) == ("synthetic (a)", "synthetic (b)")
    assert [left["file"] for left in value["left_out"]] == ["broken.bvh"]
    assert str(tmp_path) not in value["left_out"][0]["reason"]
    everything = handlers.search("a person walks", Limits("all libraries", top=100, show=TAKES))
    assert {f"{first}/walk", f"{second}/run"} < {*ids(everything)}
    scores = [item["score"] for item in everything["items"]]
    assert scores == sorted(scores, reverse=True)

    again = Libraries(session.model, session.main)  # as after a restart
    assert {first, second} < {*again}
    write_bvh(one / "jump.bvh", motions[2])
    (one / "walk.bvh").unlink()
    assert ids(handlers.refresh(first, lambda *_: None)) == [f"{first}/jump"]
    assert handlers.import_folder(str(one), lambda *_: None)[0] == first

    older = replace(session.libraries[second].store.header, fingerprint="of another model")
    store = MemoryStore(older, Path(session.libraries.path(second) or ""))
    store.replace([], session.libraries[second].entries(), session.libraries[second].latents())
    again = Libraries(session.model, session.main)
    assert second not in again and second in again.outdated
    again.renew(second)
    wait_until(lambda: second not in again.encoding)
    assert [entry.key for entry in again[second].entries()] == ["run"]
    for name in (first, second):
        session.libraries.remove(name)
    assert not {first, second} & {*Libraries(session.model, session.main)}
    assert (one / "jump.bvh").is_file()
    with pytest.raises(InputError, match="it stays"):
        session.libraries.remove("synthetic")


def test_an_import_that_is_stopped_goes_on_where_it_was(handlers: Handlers, tmp_path: Path):
    libraries = handlers.session.libraries
    for number, motion in enumerate(ids(handlers.browse(LIMITS))[:3]):
        write_bvh(tmp_path / "slow" / f"{number}.bvh", handlers.session.joints(motion))

    def stop(done: int, total: int) -> None:
        libraries.stopping.set()

    with pytest.raises(InputError, match="was stopped"):
        libraries.add(tmp_path / "slow", stop)
    assert "slow" not in libraries
    name, value = handlers.import_folder(str(tmp_path / "slow"), lambda *_: None)
    assert len(value["items"]) == 3
    libraries.remove(name)


def test_the_page_opens_on_a_library_made_before(handlers: Handlers, tmp_path: Path):
    handlers.session.main.save(tmp_path / "kept", "memory")
    run = handlers.session.model.run.root
    kept = session.open_session(run, device="cpu", folder=tmp_path / "kept").main
    assert kept.path == tmp_path / "kept" and len(kept) == len(handlers.session.main)


def test_the_viewer_gets_joints_to_the_millimeter(handlers: Handlers):
    motion = ids(handlers.browse(LIMITS))[0]
    sent = np.frombuffer(millimeters(handlers.session, motion), "<i2").reshape(-1, 22, 3)
    np.testing.assert_allclose(sent / 1000, handlers.session.joints(motion), atol=5.1e-4)


def test_a_taken_port_is_refused(handlers: Handlers):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(InputError, match=f"try port={port + 1}"):
            serve(handlers, "127.0.0.1", port)


def test_vendored_files_are_those_of_the_package():
    folder = STATIC / "vendor"
    listed = re.findall(r"`([\w.]+)` \|.*`([0-9a-f]{64})`", (folder / "README.md").read_text())
    assert {name for name, _ in listed} == {p.name for p in folder.iterdir()} - {"README.md"}
    for name, digest in listed:
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_the_page_answers_without_a_library_for_plots():
    """Gradio would import it at the first event, while nobody else is answered."""
    code = """if True:
        import sys
        import tmr.demo
        from gradio import utils
        with utils.MatplotlibBackendMananger():
            assert "matplotlib" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", code], check=True)
