import json
import shutil

import numpy as np
import pytest
import torch

from tmr.data import (
    DeviceDataset,
    DistributedBatchSampler,
    TextMotionData,
    collate,
    place_on_device_if_it_fits,
    training_loader,
    validation_loader,
)
from tmr.data.normalizer import Normalizer
from tmr.errors import InputError
from tmr.text import EmbeddingCache, TextModel

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
IDENTITY = Normalizer(torch.zeros(263), torch.ones(263))


@pytest.fixture
def data(tmp_path) -> TextMotionData:
    """Twelve motions whose every value is their number; two captions each, one of a part."""
    entries = {}
    for i in range(12):
        frames = 60 + 10 * i
        path = tmp_path / "features" / "walks" / f"{i}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.full((frames, 263), i, dtype=np.float32))
        captions = [
            {"seg_id": f"{i}_0", "text": f"number {i} walks", "start": 0, "end": frames / 20},
            {"seg_id": f"{i}_1", "text": f"{i} walks a bit", "start": 0.5, "end": 2.5},
        ]
        entries[f"k{i:02d}"] = {
            "path": f"walks/{i}",
            "duration": frames / 20,
            "annotations": captions,
        }
    folder = tmp_path / "annotations"
    (folder / "splits").mkdir(parents=True)
    (folder / "annotations.json").write_text(json.dumps(entries))
    (folder / "splits" / "train.txt").write_text("\n".join([*entries, "unknown"]))
    return TextMotionData("walks", str(folder), str(tmp_path / "features"), str(tmp_path / "stats"))


@pytest.fixture
def embeddings(tmp_path) -> EmbeddingCache:
    model = TextModel(name="minilm", token_model=MINILM, sentence_model=MINILM, token_dim=384)
    return EmbeddingCache(tmp_path / "cache", model)


def test_a_sample_holds_its_captions_part_of_the_motion(data, embeddings):
    dataset = data.split("train", embeddings, IDENTITY)
    whole, part = dataset[3, 0], dataset[3, 1]
    assert (whole.key, whole.caption, len(whole.motion)) == ("k03", "number 3 walks", 90)
    assert (part.caption, len(part.motion)) == ("3 walks a bit", 40)
    assert torch.equal(part.motion, torch.full((40, 263), 3.0))
    assert torch.equal(dataset[3].motion, whole.motion)


def test_features_are_normalized(data, embeddings):
    normalizer = Normalizer(torch.full((263,), 1.0), torch.full((263,), 2.0))
    assert data.split("train", embeddings, normalizer)[5].motion == pytest.approx((5 - 1) / 2)


def test_missing_motions_are_counted_once_and_left_out(data, embeddings, caplog, tmp_path):
    (tmp_path / "features" / "walks" / "4.npy").unlink()
    dataset = data.split("train", embeddings, IDENTITY)
    assert len(dataset) == 11
    assert "k04" not in {item.key for item in dataset.items}
    assert [r.getMessage() for r in caplog.records] == [
        "split train: 1 of 13 keys left out: no annotation",
        "split train: 1 of 12 keys left out: no motion file",
    ]


def test_no_motion_at_all_says_what_to_run(data, embeddings, tmp_path):
    shutil.rmtree(tmp_path / "features")
    with pytest.raises(InputError, match=r"0 feature files .*walks/0\.npy.*compute_guoh3dfeats"):
        data.split("train", embeddings, IDENTITY)


def test_a_split_of_unknown_keys_says_what_was_expected(data, tmp_path):
    (tmp_path / "annotations" / "splits" / "train.txt").write_text("walk0\nwalk1\n")
    with pytest.raises(InputError, match=r"no caption to use.*keys of.*prepare\.check data=walks"):
        data.present("train")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((50, 251)), r"expected \(frames, 263\) features, got \(50, 251\)"),
        (np.full((50, 263), np.nan), "holds NaN"),
    ],
)
def test_a_broken_motion_file_is_named(data, embeddings, tmp_path, array, message):
    np.save(tmp_path / "features" / "walks" / "7.npy", array)
    with pytest.raises(InputError, match=rf"7\.npy: {message}"):
        data.split("train", embeddings, IDENTITY)


def test_rubbish_instead_of_a_motion_file_is_named(data, embeddings, tmp_path):
    (tmp_path / "features" / "walks" / "7.npy").write_bytes(b"not numpy")
    with pytest.raises(InputError, match=r"7\.npy cannot be read"):
        data.split("train", embeddings, IDENTITY)


def test_a_batch_is_packed_without_padding(data, embeddings):
    dataset = data.split("train", embeddings, IDENTITY)
    batch = collate([dataset[9], dataset[2]])
    assert batch.motion.x.shape == (230, 263)
    assert batch.motion.lengths == (150, 80)
    assert torch.equal(batch.motion.unpack()[1], dataset[2].motion)
    assert batch.sentences.shape == (2, 384)


def test_an_epoch_visits_every_motion_once_and_mixes_captions(data, embeddings):
    loader = training_loader(data.split("train", embeddings, IDENTITY), 4, pool=2, seed=0)
    batches = list(loader)
    assert sorted(key for batch in batches for key in batch.keys) == [
        f"k{i:02d}" for i in range(12)
    ]
    captions = [caption for batch in batches for caption in batch.captions]
    assert 0 < sum(caption.endswith("a bit") for caption in captions) < 12


def test_on_a_device_an_epochs_batches_are_the_same(data, embeddings):
    """The CPU is the device: bit for bit, in the same order, from any batch on."""
    normalizer = Normalizer(torch.linspace(-1, 1, 263), torch.linspace(0.3, 3, 263))
    dataset = data.split("train", embeddings, normalizer)
    there = DeviceDataset(dataset, torch.device("cpu"))
    pairs = [
        [training_loader(d, 5, pool=2, seed=3) for d in (dataset, there)],
        [
            training_loader(d, 5, pool=1, seed=3, process_rank=1, num_processes=2)
            for d in (dataset, there)
        ],
        [validation_loader(d, 5) for d in (dataset, there)],
    ]
    for number, (plain, gathered) in enumerate(pairs):
        for loader in (plain, gathered):
            assert isinstance(loader.batch_sampler, DistributedBatchSampler)
            loader.batch_sampler.set_epoch(number)
            loader.batch_sampler.start_at(number % 2)
        batches = list(zip(plain, gathered, strict=True))
        assert len(batches) == 3 - number % 2
        for ours, theirs in batches:
            assert (ours.keys, ours.captions) == (theirs.keys, theirs.captions)
            for one, other in ((ours.motion, theirs.motion), (ours.text, theirs.text)):
                assert torch.equal(one.x, other.x)
                assert one.lengths == other.lengths
            assert torch.equal(ours.sentences, theirs.sentences)


def test_data_go_to_a_device_where_they_are_wanted_and_fit(data, embeddings, monkeypatch):
    dataset, cpu = data.split("train", embeddings, IDENTITY), torch.device("cpu")
    assert (
        place_on_device_if_it_fits([dataset], cpu, "auto")
        == place_on_device_if_it_fits([dataset], cpu, False)
        == [dataset]
    )
    assert isinstance(place_on_device_if_it_fits([dataset], cpu, True)[0], DeviceDataset)
    there = DeviceDataset(dataset, cpu)
    held = 4 * sum(t.numel() for t in (there.features, there.tokens, there.sentences))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2 * held, 80e9))
    assert place_on_device_if_it_fits([dataset], torch.device("cuda"), "auto") == [dataset]
    with pytest.raises(InputError, match="expected auto, true or false"):
        place_on_device_if_it_fits([dataset], cpu, "yes")
