import copy
import dataclasses
import json
import shutil
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

import tmr.search.library
from tmr.api import Model, load
from tmr.data import Normalizer, TextMotionData
from tmr.errors import InputError
from tmr.motion.features import features_to_joints
from tmr.motion.writers import write_bvh
from tmr.retrieval import cosine_similarity, shown_score
from tmr.search.library import DatasetSource, Library
from tmr.text import EmbeddingCache, TextEmbedding, TextModel, embeddings_folder

LENGTHS = {f"k{number}": 40 + 7 * number for number in range(8)}
SPLITS = {"test": ["k0", "k1", "k2"], "train": ["k3", "k4", "k5", "k6", "k7"]}


class Hashed(TextModel):
    """Token states drawn at random from a seed that the caption is."""

    def embed(
        self, captions: Sequence[str], on_batch: Callable[[int], object] | None = None
    ) -> list[TextEmbedding]:
        states = [
            np.random.default_rng(zlib.crc32(c.encode())).normal(size=(len(c.split()), 48))
            for c in captions
        ]
        return [TextEmbedding(s.astype(np.float32), np.zeros(3, np.float32)) for s in states]

    def token_counts(self, captions: Sequence[str]) -> list[int]:
        return [len(caption.split()) for caption in captions]


@pytest.fixture(scope="module")
def model(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """The golden run, which has random weights, with statistics that change nothing."""
    run = tmp_path_factory.mktemp("library") / "run"
    shutil.copytree(shared / "golden" / "run", run)
    Normalizer(torch.zeros(263), torch.ones(263)).save(run / "stats")
    return dataclasses.replace(load(run), text_model=Hashed("hashed", "", "", 48))


def features(seed: int, frames: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(frames, 263)).astype(np.float32)


@pytest.fixture
def data(tmp_path: Path) -> TextMotionData:
    """Eight random motions in two splits; each has a caption of its own, and all share one."""
    entries = {}
    for seed, (key, frames) in enumerate(LENGTHS.items()):
        (tmp_path / "features").mkdir(exist_ok=True)
        np.save(tmp_path / "features" / f"{key}.npy", features(seed, frames))
        spans = [(f"motion {key}", 0, frames / 20), ("a person moves", 0, frames / 20)]
        entries[key] = {
            "path": key,
            "duration": frames / 20,
            "annotations": [{"text": t, "start": start, "end": end} for t, start, end in spans],
        }
    splits = tmp_path / "annotations" / "splits"
    splits.mkdir(parents=True)
    for name, keys in SPLITS.items():
        (splits / f"{name}.txt").write_text("\n".join(keys))
    (splits.parent / "annotations.json").write_text(json.dumps(entries))
    return TextMotionData("moves", str(splits.parent), str(tmp_path / "features"), "")


class Watched:
    """Libraries of the same data in the same folder, and what each of them had to encode."""

    def __init__(self, model: Model, data: TextMotionData, folder: Path) -> None:
        self.model, self.data, self.folder = model, data, folder

    def open(self, splits: Sequence[str] = ()) -> tuple[Library, int]:
        """A library, and the number of motions that opening it encoded."""
        encoded = [0]
        library = Library.of_data(
            self.model, self.data, self.folder, splits, lambda _, total: encoded.append(total)
        )
        assert set(library.gallery.rows) >= {k for s in splits or SPLITS for k in SPLITS[s]} & {
            item.key for item in library.source.items()
        }
        return library, encoded[-1]


@pytest.fixture
def watched(model: Model, data: TextMotionData, tmp_path: Path) -> Watched:
    return Watched(model, data, tmp_path / "galleries")


def test_a_search_gives_the_scores_of_the_model(watched, model):
    library, _ = watched.open()
    hits = library.search("somebody walks in a circle", top=8)
    motions = [features(seed, frames) for seed, frames in enumerate(LENGTHS.values())]
    scores = model.similarity(["somebody walks in a circle"], motions)[0]
    expected = dict(zip(LENGTHS, scores.tolist(), strict=True))
    assert [hit.item.key for hit in hits] == sorted(expected, key=lambda k: -expected[k])
    for hit in hits:
        assert hit.score == pytest.approx(expected[hit.item.key], abs=1e-5)
        assert hit.item.captions == (f"motion {hit.item.key}", "a person moves")
        assert hit.item.seconds == LENGTHS[hit.item.key] / 20


def test_a_compound_query_ranks_by_the_weighted_sum(watched, model):
    library, _ = watched.open()
    found = [hit.item.key for hit in library.search('"walk" + 0.5 "angry" - "turn"', top=8)]
    cosine = cosine_similarity(
        model.encode_texts(["walk", "angry", "turn"]), library.gallery.latents
    )
    summed = cosine[0] + 0.5 * cosine[1] - cosine[2]
    assert found == [library.gallery[int(row)].key for row in summed.argsort(descending=True)]


def test_a_motion_finds_itself_by_its_array_and_its_kin_by_its_key(watched):
    library, _ = watched.open()
    by_array = library.search(features(4, LENGTHS["k4"]), top=8)
    assert by_array[0].item.key == "k4"
    assert by_array[0].score == pytest.approx(1, abs=1e-5)
    assert [h.item.key for h in library.more_like("k4", 7)] == [h.item.key for h in by_array[1:]]


def test_captions_of_a_motion_come_by_their_score_and_once_each(watched, model):
    library, _ = watched.open()
    hits = library.describe("k2", top=20)
    texts = {f"motion {key}" for key in LENGTHS} | {"a person moves"}
    assert {hit.item.key for hit in hits} == texts and len(hits) == len(texts)
    latent = model.encode_motions([features(2, LENGTHS["k2"])])
    best = model.encode_texts([hits[0].item.key])
    expected = float(shown_score(cosine_similarity(best, latent)))
    assert hits[0].score == pytest.approx(expected, abs=1e-5)
    assert [h.item.key for h in library.describe(features(2, LENGTHS["k2"]), 3)] == [
        hit.item.key for hit in hits[:3]
    ]


def test_the_limits_of_a_search_hold(watched):
    library, _ = watched.open()
    found = {hit.item.key for hit in library.search("walk", split="train", min_seconds=4)}
    assert found == {"k6", "k7"}
    assert len(library.search("walk", top=2, without=["k0"])) == 2
    with pytest.raises(InputError, match="splits found: test, train"):
        library.search("walk", split="val")


def test_joints_are_those_of_the_features(watched):
    library, _ = watched.open()
    np.testing.assert_array_equal(
        library.joints("k1"), features_to_joints(features(1, LENGTHS["k1"]))
    )
    with pytest.raises(InputError, match="no motion 'k99' in the library 'moves'"):
        library.joints("k99")


def test_what_is_encoded_is_kept(watched):
    assert watched.open()[1] == 8
    assert watched.open()[1] == 0


def test_only_the_splits_asked_for_are_encoded(watched):
    library, encoded = watched.open(["test"])
    assert encoded == 3
    assert len(library.gallery) == 3
    assert watched.open()[1] == 5
    with pytest.raises(InputError, match="no motion of split nsim; splits found: test, train"):
        watched.open(["nsim"])[0].gallery.rows  # noqa: B018


def test_the_library_keeps_step_with_its_files(watched, data):
    watched.open()
    np.save(data.motion_file("k3"), features(33, 50))
    data.motion_file("k6").unlink()
    library, encoded = watched.open()
    assert encoded == 1
    assert set(library.gallery.rows) == LENGTHS.keys() - {"k6"}
    assert library.search(features(33, 50), top=1)[0].score == pytest.approx(1, abs=1e-5)
    np.save(data.motion_file("k6"), features(6, LENGTHS["k6"]))
    assert watched.open()[1] == 1


def test_a_library_that_is_in_step_is_opened_without_reading_its_annotations(watched, monkeypatch):
    watched.open()
    _ = watched.open()[0].captions

    def read(self: DatasetSource) -> list:
        raise AssertionError("nothing has changed")

    monkeypatch.setattr(DatasetSource, "items", read)
    library = Library.of_data(watched.model, watched.data, watched.folder)
    assert set(library.gallery.rows) == set(LENGTHS)
    assert len(library.captions) == len(LENGTHS) + 1


def test_captions_that_were_prepared_are_not_put_to_the_language_model_again(watched, data, model):
    folder = embeddings_folder(data.annotations, model.text_model.name)
    captions = ["a person moves", *(f"motion {key}" for key in LENGTHS)]
    EmbeddingCache(folder, model.text_model).build(captions[:-1])
    asked = []

    class Listening(Hashed):
        def embed(self, captions, on_batch=None):
            asked.extend(captions)
            return super().embed(captions, on_batch)

    listening = Listening(**dataclasses.asdict(model.text_model))
    library = Library.of_data(dataclasses.replace(model, text_model=listening), data)
    rows = [library.captions.rows[caption] for caption in captions]
    assert asked == captions[-1:]
    expected = torch.nn.functional.normalize(model.encode_texts(captions))
    torch.testing.assert_close(library.captions.latents[rows], expected)


def test_a_change_of_any_file_or_setting_is_noticed(watched, data):
    source = DatasetSource(data)
    states = [source.state()]
    np.save(data.motion_file("new"), features(1, 50))
    states.append(source.state())
    np.save(data.motion_file("new"), features(2, 50))
    states.append(source.state())
    split = Path(data.annotations) / "splits" / "test.txt"
    split.write_text(f"{split.read_text()}\nk1")
    states.append(source.state())
    states.append(DatasetSource(dataclasses.replace(data, max_seconds=5.0)).state())
    assert len(set(states)) == len(states)
    assert source.state() == states[-2]


def test_latents_of_other_weights_are_not_used(watched, model):
    before, _ = watched.open()
    other = dataclasses.replace(model, network=copy.deepcopy(model.network))
    with torch.no_grad():
        next(other.network.motion_encoder.parameters()).add_(0.1)
    library, encoded = Watched(other, watched.data, watched.folder).open()
    assert encoded == 8
    assert library.model.fingerprint != before.model.fingerprint
    assert not torch.allclose(library.gallery.latents, before.gallery.latents)


def test_an_interrupted_encoding_goes_on_where_it_stopped(watched, data, monkeypatch):
    monkeypatch.setattr(tmr.search.library, "ENCODED_AT_ONCE", 2)

    def interrupt(done: int, total: int) -> None:
        if done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _ = Library.of_data(watched.model, data, watched.folder, progress=interrupt).gallery
    assert watched.open()[1] == 2


def test_a_caption_behind_the_end_of_its_motion_stands_for_all_of_it(watched, data):
    path = Path(data.annotations) / "annotations.json"
    entries = json.loads(path.read_text())
    entries["k5"]["annotations"][0] |= {"start": 60, "end": 65}
    path.write_text(json.dumps(entries))
    library, _ = watched.open()
    assert library.search(features(5, LENGTHS["k5"]), top=1)[0].item.key == "k5"


def test_a_data_set_without_features_names_the_command(watched, data):
    for key in LENGTHS:
        data.motion_file(key).unlink()
    with pytest.raises(InputError, match=r"python -m prepare\.compute_guoh3dfeats"):
        watched.open()


@pytest.fixture(scope="module")
def clips(shared: Path) -> list[np.ndarray]:
    with np.load(shared / "golden" / "features.npz") as golden:
        return [golden[f"{name}.recovered"] for name in ("000000", "000002", "000021")]


def test_a_folder_of_bvh_files_is_imported_searched_and_kept_in_step(
    model, clips, tmp_path, caplog
):
    folder = tmp_path / "takes"
    for name, clip in zip(("a", "deep/b"), clips, strict=False):
        write_bvh(folder / f"{name}.bvh", clip)
    (folder / "broken.bvh").write_text("nothing")
    library = Library.of_folder(model, folder, tmp_path / "cache")
    assert set(library.gallery.rows) == {"a", "deep/b"}
    assert "broken.bvh" in caplog.text
    assert np.linalg.norm(library.joints("deep/b") - clips[1], axis=-1).max() < 1e-3
    assert library.search(clips[0], top=1)[0].item.key == "a"
    assert library.item("a").seconds == pytest.approx((len(clips[0]) - 1) / 20)

    (folder / "a.bvh").unlink()
    write_bvh(folder / "c.bvh", clips[2])
    later = Library.of_folder(model, folder, tmp_path / "cache")
    assert set(later.gallery.rows) == {"c", "deep/b"}


def test_a_folder_that_is_missing_is_refused(model, tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        _ = Library.of_folder(model, tmp_path / "nowhere", tmp_path / "cache").gallery
