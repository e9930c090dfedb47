import copy
import dataclasses
import importlib.util
import itertools
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.motion.test_asf_amc import amc, asf
from tests.search.conftest import LENGTHS, SPLITS, Hashed, features
from tmr.api import Model
from tmr.data import TextMotionData
from tmr.errors import InputError
from tmr.motion.features import features_to_joints
from tmr.motion.writers import write_bvh
from tmr.retrieval import cosine_similarity, shown_score
from tmr.search import rows
from tmr.search.library import Library
from tmr.search.sources import DataSource
from tmr.text import EmbeddingCache, embeddings_folder

needs_lance = pytest.mark.skipif(
    importlib.util.find_spec("lance") is None, reason="pylance is not installed"
)
BOTH = ["memory", pytest.param("lance", marks=needs_lance)]
Open = Callable[..., tuple[Library, int]]


@pytest.fixture(params=BOTH)
def store(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def opened(model: Model, data: TextMotionData, tmp_path: Path, store: str) -> Open:
    """Opens the data set's library in one folder, with the number of motions it encoded."""

    def open_library(*splits: str, **options) -> tuple[Library, int]:
        seen = [0]
        library = Library.of_data(
            data, options.pop("model", model), tmp_path / "library", splits=splits, store=store,
            progress=lambda done, total: seen.append(done), **options,
        )  # fmt: skip
        return library, seen[-1]

    return open_library


def keys_of(library: Library) -> set[str]:
    return {entry.key for entry in library.entries()}


def test_a_search_gives_the_scores_of_the_model(opened, model):
    library, _ = opened()
    hits = library.search("somebody walks in a circle", top=8)
    motions = [features(seed, frames) for seed, frames in enumerate(LENGTHS.values())]
    scores = model.score(["somebody walks in a circle"], motions, check=False)[0]
    expected = dict(zip(LENGTHS, scores.tolist(), strict=True))
    assert [hit.entry.key for hit in hits] == sorted(expected, key=lambda k: -expected[k])
    for hit in hits:
        assert hit.score == pytest.approx(expected[hit.entry.key], abs=1e-5)
        assert hit.entry.captions == (f"motion {hit.entry.key}", "a person moves")
        assert hit.entry.seconds == LENGTHS[hit.entry.key] / 20
        assert hit.entry.frame_span == (0, LENGTHS[hit.entry.key])


def test_a_compound_query_ranks_by_the_weighted_sum(opened, model):
    library, _ = opened()
    found = [hit.entry.key for hit in library.search('"walk" + 0.5 "angry" - "turn"', top=8)]
    cosine = cosine_similarity(model.encode_texts(["walk", "angry", "turn"]), library.latents())
    order = (cosine[0] + 0.5 * cosine[1] - cosine[2]).argsort(descending=True)
    assert found == [library.entries()[row].key for row in order.tolist()]


def test_a_motion_finds_itself_by_its_array_and_its_kin_by_its_key(opened):
    library, _ = opened()
    by_array = library.search(features(4, LENGTHS["k4"]), top=8)
    assert by_array[0].entry.key == "k4"
    assert by_array[0].score == pytest.approx(1, abs=1e-5)
    assert [h.entry.key for h in library.more_like("k4", 7)] == [h.entry.key for h in by_array[1:]]


def test_captions_of_a_motion_come_by_their_score_and_once_each(opened, model):
    library, _ = opened()
    found = library.describe("k2", top=20)
    texts = {f"motion {key}" for key in LENGTHS} | {"a person moves"}
    assert {text for _, text in found} == texts and len(found) == len(texts)
    latent = model.encode_motions([features(2, LENGTHS["k2"])], check=False)
    best = model.encode_texts([found[0][1]])
    assert found[0][0] == pytest.approx(
        float(shown_score(cosine_similarity(best, latent))), abs=1e-5
    )
    by_array = library.describe(features(2, LENGTHS["k2"]), 3)
    assert [text for _, text in by_array] == [text for _, text in found[:3]]


def test_a_filter_limits_what_is_found(opened):
    library, _ = opened()
    hits = library.search("walk", where="split = 'train' and length >= 4")
    assert {hit.entry.key for hit in hits} == {"k6", "k7"}
    assert len(library.search("walk", top=2, exclude=["k0"])) == 2
    with pytest.raises(InputError, match="unknown field speed; fields: key"):
        library.search("walk", where="speed > 3")
    with pytest.raises(InputError, match="top=0: expected a whole number, at least 1"):
        library.search("walk", top=0)


def test_joints_are_those_of_the_features(opened):
    library, _ = opened()
    expected = features_to_joints(features(1, LENGTHS["k1"]))
    np.testing.assert_array_equal(library.joints("k1"), expected)
    with pytest.raises(InputError, match="no motion 'k99' in the library 'moves'"):
        library.joints("k99")


def test_a_file_that_has_changed_is_not_taken_for_the_motion_that_was_found(opened, data):
    library, _ = opened()
    before = library.features("k2")
    os.utime(data.motion_file("k2"), ns=(1, 1))  # touched, with the same content
    np.testing.assert_array_equal(library.features("k2"), before)
    np.save(data.motion_file("k2"), features(33, 50))
    with pytest.raises(InputError, match=r"k2\.npy has changed .* refresh the library 'moves'"):
        library.features("k2")


def test_a_notebook_shows_the_first_takes_in_motion(opened):
    library, _ = opened()
    shown = library._repr_html_()
    assert "Library(&#x27;moves&#x27;, 8 rows" in shown
    assert shown.count("<svg ") == 4 and "<figcaption>k0</figcaption>" in shown
    assert library.animate("k1")._repr_html_() in shown
    library.add({"<b>": features(5, 50)})  # its poses are not kept


def test_only_what_changed_is_encoded(opened, data):
    assert opened()[1] == 8
    assert opened()[1] == 0
    np.save(data.motion_file("k3"), features(33, 50))
    data.motion_file("k6").unlink()
    os.utime(data.motion_file("k1"), ns=(1, 1))  # touched, with the same content
    library, encoded = opened()
    assert encoded == 1
    assert keys_of(library) == LENGTHS.keys() - {"k6"}
    assert library.search(features(33, 50), top=1)[0].score == pytest.approx(1, abs=1e-5)
    np.save(data.motion_file("k6"), features(6, LENGTHS["k6"]))
    assert opened()[1] == 1


def test_new_captions_are_noticed(opened, data):
    opened()
    path = Path(data.annotations) / "annotations.json"
    path.write_text(path.read_text().replace("motion k5", "a dance"))
    library, encoded = opened()
    assert encoded == 1
    assert library.entry("k5").captions == ("a dance", "a person moves")


def test_only_the_splits_asked_for_are_encoded(opened):
    library, encoded = opened("test")
    assert encoded == 3
    assert keys_of(library) == {*SPLITS["test"]}
    assert opened()[1] == 5
    library, encoded = opened("test")
    assert encoded == 0
    assert keys_of(library) == LENGTHS.keys()
    assert library.splits == ["test", "train"]
    with pytest.raises(InputError, match="no motion of split nsim; splits found: test, train"):
        opened("nsim")


def test_prepared_embeddings_of_captions_are_used(data, model):
    folder = embeddings_folder(data.annotations, model.text_model.name)
    captions = ["a person moves", *(f"motion {key}" for key in LENGTHS)]
    EmbeddingCache(folder, model.text_model).build(captions[:-1])
    embedded = []

    class Listening(Hashed):
        def tokens(self, captions):
            embedded.extend(captions)
            return super().tokens(captions)

    listening = Listening(**dataclasses.asdict(model.text_model))
    found = Library.of_data(data, dataclasses.replace(model, text_model=listening)).captions
    assert embedded == captions[-1:]
    latents = found.latents[[found.rows[caption] for caption in captions]]
    expected = torch.nn.functional.normalize(model.encode_texts(captions))
    torch.testing.assert_close(latents, expected)


def test_a_library_of_other_weights_is_refused_by_name_or_made_again(opened, model):
    before, _ = opened()
    other = dataclasses.replace(model, network=copy.deepcopy(model.network))
    with torch.no_grad():
        next(other.network.motion_encoder.parameters()).add_(0.1)
    with pytest.raises(InputError, match="was made by the model 'run', not by these weights"):
        opened(model=other)
    with pytest.raises(InputError, match="was made by the model 'run'"):
        Library.open(before.path, other)
    latents = before.latents()
    library, encoded = opened(model=other, overwrite=True)
    assert encoded == 8
    assert not torch.allclose(library.latents(), latents)


def test_an_interrupted_encoding_resumes_where_it_stopped(opened, data, model, tmp_path, store):
    def interrupt(done: int, total: int) -> None:
        if done == 6:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "FRAMES_CHUNK", 50)
        with pytest.raises(KeyboardInterrupt):
            Library.of_data(data, model, tmp_path / "library", store=store, progress=interrupt)
    library, encoded = opened()
    assert 0 < encoded < 8
    assert keys_of(library) == LENGTHS.keys()


def test_a_caption_after_the_end_of_its_motion_stands_for_all_of_it(opened, data):
    path = Path(data.annotations) / "annotations.json"
    entries = json.loads(path.read_text())
    entries["k5"]["annotations"][0] |= {"start": 60, "end": 65}
    path.write_text(json.dumps(entries))
    library, _ = opened()
    assert library.search(features(5, LENGTHS["k5"]), top=1)[0].entry.key == "k5"


def test_a_data_set_without_features_names_the_command(opened, data):
    for key in LENGTHS:
        data.motion_file(key).unlink()
    with pytest.raises(InputError, match=r"python -m prepare\.compute_guoh3dfeats"):
        opened()


def test_motions_can_be_added_replaced_and_removed(opened):
    library, _ = opened()
    library.add({"mine": features(50, 60)}, {"mine": ["a wave"]}, tags=["new"])
    assert library.tags == ["new"]
    hit = library.search(features(50, 60), top=1, where="tag = 'new'")[0]
    assert (hit.entry.key, hit.entry.captions) == ("mine", ("a wave",))
    library.add({"mine": features(51, 80)})
    assert library.entry("mine").seconds == 4
    assert library.refresh() == 0
    assert "mine" in keys_of(library)
    library.remove(["mine", "no such key"])
    assert keys_of(library) == LENGTHS.keys()


def test_a_saved_copy_finds_the_same(opened, model, tmp_path):
    library, _ = opened(windows=[1.0])
    copied = library.save(tmp_path / "copy", "memory")
    reopened = Library.open(tmp_path / "copy", model)
    for other in (copied, reopened):
        assert len(other) == len(library)
        for hit, expected in zip(other.search("walk", 8), library.search("walk", 8), strict=True):
            assert hit.entry == expected.entry
            assert hit.score == pytest.approx(expected.score, abs=1e-5)
    with pytest.raises(InputError, match="there is a library at"):
        library.save(tmp_path / "copy")


def test_moments_find_where_a_motion_happens(model, tmp_path, store):
    long = features(1, 200)
    library = Library.of_data
    np.save(tmp_path / "long.npy", long)
    (tmp_path / "takes").mkdir()
    np.save(tmp_path / "takes" / "long.npy", long)
    np.save(tmp_path / "takes" / "short.npy", features(2, 30))
    library = Library.of_folder(
        tmp_path / "takes", model, tmp_path / "library", windows=[2.0, 4.0], store=store
    )
    best = library.moments(long[60:100], top=3, seconds=2)[0]
    assert best.entry.key == "long" and best.entry.window == 2
    assert best.score == pytest.approx(1, abs=1e-5)
    assert best.start <= 3 and best.end >= 5
    # The short take is a window of every length, and each take is one result at a place.
    for seconds in (2, 4):
        found = library.moments(features(2, 30), seconds=seconds)
        assert found[0].entry.key == "short" and found[0].score == pytest.approx(1, abs=1e-5)
    spans = sorted((m.start, m.end) for m in library.moments("walk") if m.entry.key == "long")
    assert all(first[1] <= second[0] for first, second in itertools.pairwise(spans))
    with pytest.raises(InputError, match="has windows of 2, 4 seconds; make one with windows=3"):
        library.moments("walk", seconds=3)


def test_a_library_without_these_windows_is_refused(opened):
    opened()
    with pytest.raises(InputError, match=r"has windows of \[\] seconds, not \[2.0\]"):
        opened(windows=[2.0])
    library, encoded = opened(windows=[2.0], overwrite=True)
    assert encoded == 8 and library.moments("walk")


def test_a_long_take_is_the_mean_of_its_parts(model):
    library = Library.of_data  # noqa: F841
    long = features(3, 500)
    parts = model.encode_motions(np.array_split(long, 3), check=False)
    expected = torch.nn.functional.normalize(parts, dim=-1).mean(dim=0)
    found = rows.whole_latents([long, long[:40]], model)
    torch.testing.assert_close(found[0], torch.nn.functional.normalize(expected, dim=-1))
    assert len(found) == 2


@pytest.fixture(scope="module")
def clips(shared: Path) -> list[np.ndarray]:
    with np.load(shared / "golden" / "features.npz") as golden:
        return [golden[f"{name}.recovered"] for name in ("000000", "000002", "000021")]


def test_a_folder_of_bvh_files_is_searched_and_kept_in_step(model, clips, tmp_path, caplog):
    folder = tmp_path / "takes (1), José"
    for name, clip in zip(("a", "deep/b"), clips, strict=False):
        write_bvh(folder / f"{name}.bvh", clip)
    (folder / "broken.bvh").write_text("nothing")
    library = Library.of_folder(folder, model, tmp_path / "library")
    assert keys_of(library) == {"a", "deep/b"}
    assert library.skipped.keys() == {"broken.bvh"}
    assert "broken.bvh: skipped" in caplog.text
    hit = library.search(clips[0], top=1)[0]
    assert hit.entry.key == "a" and hit.entry.file == "a.bvh"
    assert hit.entry.seconds == pytest.approx((len(clips[0]) - 1) / 20)

    (folder / "a.bvh").unlink()
    write_bvh(folder / "c.bvh", clips[2])
    library = Library.open(tmp_path / "library", model)
    assert library.refresh() == 1
    assert keys_of(library) == {"c", "deep/b"}
    library.add([folder / "c.bvh"], tags=["best"])
    assert library.entry("c").take.tags == ("best",)


def test_one_file_is_a_library(model, clips, tmp_path):
    for name, clip in zip(("a", "b"), clips, strict=False):
        write_bvh(tmp_path / f"{name}.bvh", clip)
    library = Library.of_folder(tmp_path / "b.bvh", model, tmp_path / "library", windows=[1.0])
    assert library.name == "b.bvh" and keys_of(library) == {"b"}
    assert {moment.entry.key for moment in library.moments(clips[1])} == {"b"}
    assert Library.open(tmp_path / "library", model).refresh() == 0


def test_overrides_of_a_folder_hold_for_single_files(model, clips, tmp_path):
    for name in ("plain", "slow"):
        write_bvh(tmp_path / f"{name}.bvh", clips[0])
    (tmp_path / "overrides.csv").write_text("path,fps\nslow.bvh,10\n")
    library = Library.of_folder(tmp_path, model)
    plain, slow = library.entry("plain"), library.entry("slow")
    assert slow.take.fps == 10 and slow.seconds == pytest.approx(2 * plain.seconds, abs=0.2)
    assert len(library.features("slow")) == pytest.approx(slow.seconds * 20, abs=1)
    (tmp_path / "overrides.csv").unlink()
    assert library.refresh() == 1  # it alone is read in another way now
    assert library.entry("slow").seconds == plain.seconds


def test_mirrored_copies_are_left_out_unless_wanted(model, tmp_path):
    (tmp_path / "M").mkdir()
    for seed, name in enumerate(("a", "M/a", "M/alone")):
        np.save(tmp_path / f"{name}.npy", features(seed, 60))
    library = Library.of_folder(tmp_path, model)
    assert {hit.entry.key for hit in library.search("walk")} == {"a", "M/alone"}
    assert len(library.search("walk", mirrored=True)) == 3
    assert len(library.search("walk", mirrored=True, where="mirrored = true")) == 1


def test_a_take_is_read_again_when_its_skeleton_changes(model, tmp_path):
    (tmp_path / "07_01.amc").write_text(amc(120, {}))
    (tmp_path / "07.asf").write_text(asf())
    library = Library.of_folder(tmp_path, model)
    assert library.refresh() == 0
    (tmp_path / "07.asf").write_text(asf().replace("length 0.45", "length 0.5"))
    assert library.refresh() == 1


def test_a_few_takes_more_write_a_large_library_once(model, tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "FRAMES_CHUNK", 40)
    np.save(tmp_path / "0.npy", features(0, 40))
    library = Library.of_folder(tmp_path, model)
    library.add({f"array {number}": features(number, 40) for number in range(40)})
    versions = library.store.version
    for number in (1, 2):
        np.save(tmp_path / f"{number}.npy", features(number, 40))
    assert library.refresh() == 2 and library.store.version == versions + 1


def test_folders_that_cannot_be_used_are_refused(model, tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        Library.of_folder(tmp_path / "nowhere", model)
    (tmp_path / "broken.bvh").write_text("nothing")
    with pytest.raises(InputError, match=r"can be used, 1 skipped; the first: broken\.bvh"):
        Library.of_folder(tmp_path, model)
    with pytest.raises(InputError, match="no library at"):
        Library.open(tmp_path, model)


def test_a_motion_of_a_data_set_is_the_part_of_its_first_caption(data: TextMotionData) -> None:
    file = Path(data.annotations) / "annotations.json"
    entries = json.loads(file.read_text())
    entries["k1"]["annotations"][0]["start"] = 0.5
    file.write_text(json.dumps(entries))
    spans = {listed.take.key: listed.span for listed in DataSource(data).list()}
    assert (spans["k0"], spans["k1"]) == ((0, 40 / 20), (0.5, 47 / 20))
