"""Latents and scores as the commands write them, against golden outputs and the Python API."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import tmr
from tests import workspace as project
from tests.bodies import walk_features
from tests.motion.bvh_text import person_bvh
from tmr import cache
from tmr.commands.inputs import motion_files, read_features
from tmr.commands.outputs import SLUG_LENGTH, file_name
from tmr.commands.text_motion_sim import score_table
from tmr.data import Normalizer
from tmr.errors import InputError
from tmr.motion.read import read_motion
from tmr.text import TextModel
from tmr.text.embedding_cache import VERSION

MODELS = {
    "tokens": "distilbert-base-uncased",
    "sentences": "sentence-transformers/all-mpnet-base-v2",
}
FEATURES = walk_features(60)


def call(name: str, *arguments: str) -> None:
    """Run a command on the CPU."""
    project.call(name, "device=cpu", *arguments)


@pytest.fixture
def golden(shared: Path) -> dict[str, np.ndarray]:
    return dict(np.load(shared / "golden" / "model.npz"))


@pytest.fixture
def golden_run(
    shared: Path, tmp_path: Path, golden: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The golden run, with a data set in its folder: golden motions, and cached golden tokens."""
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "run"
    shutil.copytree(shared / "golden" / "run", run)
    Normalizer(torch.zeros(263), torch.ones(263)).save(run / "stats")
    annotations = {}
    for i in range(4):
        motion = tmp_path / f"datasets/motions/guoh3dfeats/golden/{i}.npy"
        motion.parent.mkdir(parents=True, exist_ok=True)
        np.save(motion, golden[f"motion_{i}"])
        caption = {"seg_id": f"k{i}_0", "text": f"caption {i}", "start": 0.0, "end": 9.9}
        annotations[f"k{i}"] = {
            "path": f"golden/{i}", "duration": 9.9, "annotations": [caption],
        }  # fmt: skip
    folder = tmp_path / "datasets/annotations/humanml3d"
    (folder / "splits").mkdir(parents=True)
    (folder / "annotations.json").write_text(json.dumps(annotations))
    (folder / "splits" / "some.txt").write_text("k2\nk0\nk3\nk1\n")
    write_cache(folder / "text_embeddings" / "distilbert_mpnet", golden)
    return run


def write_cache(folder: Path, golden: dict[str, np.ndarray]) -> None:
    """A shard of the embedding cache, with the golden token states."""
    tokens = [golden[f"tokens_{i}"] for i in range(4)]
    arrays = {
        "tokens": np.concatenate(tokens),
        "offsets": np.cumsum([0, *map(len, tokens)], dtype=np.int64),
        "sentences": golden["sent_emb"],
    }
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    language_model = TextModel("distilbert_mpnet", *MODELS.values(), token_dim=768)
    made_from = cache.fingerprint("text_embeddings", VERSION, models=language_model.fingerprint)
    captions = [f"caption {i}" for i in range(4)]
    assert cache.write(folder / "shard-00000.safetensors", tensors, captions, made_from)


def close(found: np.ndarray, expected: np.ndarray) -> bool:
    return bool(np.abs(found - expected).max() < 1e-5 * np.abs(expected).max())


def test_golden_latents_of_a_split(golden_run: Path, golden: dict[str, np.ndarray]) -> None:
    call("encode_dataset", f"run_dir={golden_run}", "split=some")
    name = f"{golden_run}/latents/humanml3d_some"
    for suffix, expected in (("", "motion_mu"), ("_text", "text_mu")):
        latents = np.load(f"{name}{suffix}.npy")
        assert close(latents, golden[expected])
        unit = np.load(f"{name}{suffix}_unit.npy")
        assert unit == pytest.approx(latents / np.linalg.norm(latents, axis=1)[:, None], abs=1e-6)
    keys = json.loads(Path(f"{name}_index_keyids.json").read_text())
    assert keys == {"0": "k0", "1": "k1", "2": "k2", "3": "k3"}
    rows = json.loads(Path(f"{name}_keyids_index.json").read_text())
    assert {key: str(row) for row, key in keys.items()} == {k: str(r) for k, r in rows.items()}
    captions = json.loads(Path(f"{name}_captions.json").read_text())
    assert captions == [f"caption {i}" for i in range(4)]
    assert not [path for path in (golden_run / "latents").iterdir() if path.name.startswith(".")]


def test_golden_latents_of_motion_files(golden_run: Path, golden: dict[str, np.ndarray]) -> None:
    for i in range(4):
        npy = f"datasets/motions/guoh3dfeats/golden/{i}.npy"
        options = f"run_dir={golden_run}", f"npy={npy}", f"output={golden_run}/new/{i}"
        call("encode_motion", *options)
        assert close(np.load(golden_run / f"new/{i}.npy"), golden["motion_mu"][i])


@pytest.fixture(scope="module")
def bandai_run(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("inference") / "bandai_run"
    shutil.copytree(shared / "golden" / "bandai_run", run)
    return run


def only(folder: Path, pattern: str = "*.npy") -> Path:
    (path,) = folder.glob(pattern)
    return path


def test_a_part_of_a_motion_is_a_motion_of_its_own(bandai_run: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "long.npy", FEATURES)
    common = (f"run_dir={bandai_run}", f"npy={tmp_path / 'long.npy'}")
    call("encode_motion", *common, "start=0.5", "end=2")
    latent = np.load(only(bandai_run / "latents" / "motions", "long-*.npy"))
    expected = tmr.load(bandai_run).encode_motions([FEATURES[10:40]])[0].numpy()
    assert np.array_equal(latent, expected)


def test_texts_of_a_file_are_encoded_in_its_order(bandai_run: Path, tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("a person walks\r\n\n  a person bows, é  \n", encoding="utf-8")
    call("encode_text", f"run_dir={bandai_run}", f"texts={tmp_path / 't.txt'}")
    path = only(bandai_run / "latents" / "texts", "t-*.npy")
    texts = json.loads(path.with_suffix(".json").read_text())
    assert texts == ["a person walks", "a person bows, é"]
    expected = tmr.load(bandai_run).encode_texts(texts).numpy()
    assert np.array_equal(np.load(path), expected)
    call("encode_text", f"run_dir={bandai_run}", "text=a person walks")
    latent = np.load(only(bandai_run / "latents" / "texts", "a-person-walks-*.npy"))
    assert latent == pytest.approx(expected[0], abs=1e-5)


def test_scores_of_texts_and_motions_are_those_of_the_api(
    bandai_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "takes").mkdir()
    for name, motion in (("b", FEATURES), ("a", FEATURES[:20])):
        np.save(tmp_path / "takes" / f"{name}.npy", motion)
    call(
        "text_motion_sim", f"run_dir={bandai_run}", 'text=["a person walks","a bow"]',
        f"npy={tmp_path / 'takes'}", f"output={tmp_path / 'table.tsv'}",
    )  # fmt: skip
    scores = tmr.load(bandai_run).score(["a person walks", "a bow"], [FEATURES[:20], FEATURES])
    rows = [line.split("\t") for line in (tmp_path / "table.tsv").read_text().splitlines()]
    assert rows[0] == ["motion", "a person walks", "a bow"]
    assert [Path(row[0]).name for row in rows[1:]] == ["a.npy", "b.npy"]
    written = np.array([[float(score) for score in row[1:]] for row in rows[1:]])
    assert written == pytest.approx(scores.numpy().T, abs=1e-5)
    printed = capsys.readouterr().out
    for score in scores.flatten().tolist():
        assert f"{score:.3f}" in printed


def test_a_bvh_file_and_its_imported_joints_are_the_same_motion(
    tmp_path: Path,
) -> None:
    path = tmp_path / "walk.bvh"
    path.write_text(person_bvh([(0, 90, 4 * i) for i in range(60)]))
    np.save(tmp_path / "joints.npy", read_motion(path).joints.astype(np.float32))
    features = read_features(path)
    assert torch.equal(features, read_features(tmp_path / "joints.npy"))
    assert len(read_features(path, start=0.5)) == len(features) - 10


def test_a_table_has_a_line_a_motion_and_a_column_a_text() -> None:
    table = score_table(["one", "two"], ["m.npy", "longer.bvh"], np.array([[0.1, 0.2], [0.3, 1]]))
    lines = [line.split() for line in table.splitlines()]
    assert lines == [
        ["[1]", '"one"'], ["[2]", '"two"'], ["[1]", "[2]"],
        ["m.npy", "0.100", "0.300"], ["longer.bvh", "0.200", "1.000"],
    ]  # fmt: skip


TRICKY = [
    "",
    ".",
    "..",
    "a/b",
    "/etc/passwd",
    "\0",
    "a\nb",
    "x" * 300,
    "走る人",
    "é" * 300,
    " ",
    "-",
]


@pytest.mark.parametrize("text", TRICKY)
def test_any_text_names_a_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / file_name(text)
    path.write_bytes(b"")
    assert path.parent == tmp_path
    assert only(tmp_path) == path
    assert not path.name.startswith((".", "-"))


def test_names_tell_all_texts_apart() -> None:
    texts = [*TRICKY, "A b", "a b", "a-b", "a  b", "x" * 301, "é", "e"]
    assert len({file_name(text) for text in texts}) == len(texts)
    assert file_name("a", "b") != file_name("a", "c")


@settings(max_examples=20, deadline=None)
@given(st.text(max_size=90))
def test_a_name_is_short_and_plain(text: str) -> None:
    name = file_name(text)
    assert len(name) <= SLUG_LENGTH + len("-12345678.npy")
    assert set(name.removesuffix(".npy")) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    for content, message in (
        (b"not an array", "not a readable .npy file"),
        (None, "no motion file"),
    ):
        path = tmp_path / "x.npy"
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(InputError, match=message):
            read_features(path)
    np.save(path, FEATURES[:, :66])
    with pytest.raises(InputError, match=rf"{path}: found an array of shape \(60, 66\)"):
        read_features(path)
    np.save(path, FEATURES)
    for start, end in ((3.0, None), (2.0, 1.0), (1.0, 1.0), (-1.0, 2.0)):
        with pytest.raises(InputError, match=rf"{path} lasts 3 s; there is nothing from start="):
            read_features(path, start, end)
    for wrong in ("one", "nan", "inf", "[1]"):
        with pytest.raises(InputError, match=r"expected a number"):
            call("encode_motion", "run_dir=nowhere", f"npy={path}", f"end={wrong}")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no .*\.bvh, .*\.npy"):
        motion_files(str(tmp_path / "empty"))


def test_either_a_text_or_a_file_of_texts_is_given(bandai_run: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text(" \n\n")
    run = f"run_dir={bandai_run}"
    for options, message in (
        ((), "give either text"),
        (("text=a", f"texts={tmp_path}/empty.txt"), "give either text"),
        ((f"texts={tmp_path}/empty.txt",), "has no text: expected one a line"),
        ((f"texts={tmp_path}/nowhere.txt",), "cannot be read as a UTF-8 text file"),
    ):
        with pytest.raises(InputError, match=message):
            call("encode_text", run, *options)
