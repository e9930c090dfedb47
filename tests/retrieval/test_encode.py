import json

import numpy as np
import pytest
import torch

from tmr.data import Normalizer, TextMotionData, TextMotionDataset
from tmr.errors import InputError
from tmr.model import TMR, ActorDecoder, ActorEncoder
from tmr.retrieval import PROTOCOLS, encode_dataset, evaluate_all
from tmr.retrieval import encode as encoding_module
from tmr.retrieval.encode import encode_sequences
from tmr.sequences import pack
from tmr.text import EmbeddingCache, TextModel

WORDS = 12


class RandomEmbeddings(TextModel):
    """Token states and sentence vectors that a caption's number determines; no language model."""

    def tokens(self, captions):
        return [
            _random(c).normal(size=(4 + len(c) % 8, WORDS)).astype(np.float32) for c in captions
        ]

    def sentences(self, captions, on_batch=None):
        vectors = [_random(caption).normal(size=6) for caption in captions]
        return [(vector / np.linalg.norm(vector)).astype(np.float32) for vector in vectors]


def _random(caption: str) -> np.random.Generator:
    return np.random.default_rng([ord(letter) for letter in caption])


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> TextMotionDataset:
    """Forty motions of 10 to 90 frames; each first caption is shared by two; two captions each."""
    folder = tmp_path_factory.mktemp("motions")
    random = np.random.default_rng(0)
    entries = {}
    for i in range(40):
        frames = int(random.integers(10, 90))
        np.save(folder / f"{i}.npy", random.normal(size=(frames, 263)).astype(np.float32))
        texts = (f"caption {i // 2}", f"another {i}")
        entries[f"k{39 - i:02d}"] = {
            "path": str(i),
            "duration": frames / 20,
            "annotations": [
                {"seg_id": "", "text": text, "start": 0, "end": frames / 20} for text in texts
            ],
        }
    (folder / "splits").mkdir()
    (folder / "splits" / "test.txt").write_text("\n".join(entries))
    (folder / "annotations.json").write_text(json.dumps(entries))
    data = TextMotionData("forty", str(folder), str(folder), str(folder))
    text_model = RandomEmbeddings("random", "none", "none", WORDS)
    normalizer = Normalizer(torch.zeros(263), torch.ones(263))
    return data.split("test", EmbeddingCache(folder / "cache", text_model), normalizer)


@pytest.fixture(scope="module")
def model() -> TMR:
    torch.manual_seed(0)
    sizes = {"latent_dim": 32, "ff_size": 64, "num_layers": 2, "num_heads": 4, "dropout": 0.1}
    return TMR(
        ActorEncoder(263, **sizes),
        ActorEncoder(WORDS, **sizes),
        ActorDecoder(263, **sizes),
        {"recons": 1.0, "kl": 1.0, "latent": 1.0, "contrastive": 1.0},
        temperature=0.1,
        threshold_selfsim=0.8,
    )


def figures(model: TMR, dataset: TextMotionDataset, batch_size: int, precision: str = "fp32"):
    encoded = encode_dataset(model, dataset, batch_size, precision=precision, every_caption=True)
    return {
        (name, tie_safe): outcome.figures(tie_safe)
        for name, outcome in evaluate_all({"test": encoded}.get).items()
        for tie_safe in (False, True)
    }


def test_latents_are_those_of_each_sequence_alone(model, dataset):
    """Sorted by key, and neither padding nor neighbors matter."""
    encoded = encode_dataset(model, dataset, batch_size=7, every_caption=True)
    assert list(encoded.keys) == sorted(item.key for item in dataset.items)
    assert encoded.others is not None
    row_of = {key: row for row, key in enumerate(encoded.keys)}
    model.eval()
    for index in (0, 3, 39):
        sample, other = dataset[index, 0], dataset[index, 1]
        row = row_of[sample.key]
        with torch.no_grad():
            motion = model.encode_motion(pack([sample.motion])).mu[0]
            text = model.encode_text(pack([sample.tokens])).mu[0]
            second = model.encode_text(pack([other.tokens])).mu[0]
        assert encoded.captions[row] == sample.caption
        assert torch.allclose(encoded.motion[row], motion, atol=1e-5)
        assert torch.allclose(encoded.text[row], text, atol=1e-5)
        where = encoded.others.captions.index(other.caption)
        assert encoded.others.owners[where] == row
        assert torch.allclose(encoded.others.text[where], second, atol=1e-5)


def test_each_motion_and_each_caption_string_is_encoded_once(model, dataset, monkeypatch):
    seen = []

    def counting(encoder, sequences, *rest):
        seen.append(len(sequences))
        return encode_sequences(encoder, sequences, *rest)

    monkeypatch.setattr(encoding_module, "encode_sequences", counting)
    encode_dataset(model, dataset, 8)
    encode_dataset(model, dataset, 8, every_caption=True)
    assert seen == [20, 40, 60, 40]


def test_equal_captions_have_equal_latents(model, dataset):
    encoded = encode_dataset(model, dataset, batch_size=3)
    for row, caption in enumerate(encoded.captions):
        assert torch.equal(encoded.text[row], encoded.text[encoded.captions.index(caption)])


@pytest.mark.parametrize("batch_size", [1, 5, 64])
def test_figures_do_not_depend_on_batch_size_or_padding(model, dataset, batch_size, monkeypatch):
    """The reference is one batch with all its padding, in another order of the data set."""
    expected = figures(model, dataset, batch_size)
    monkeypatch.setattr(encoding_module, "TOKENS_PER_BATCH", {"cpu": 10**9})
    monkeypatch.setattr(dataset, "items", dataset.items[::-1])
    padded = figures(model, dataset, batch_size=1000)
    assert padded.keys() == expected.keys() >= {("normal", True), ("caption", False)}
    for name, found in padded.items():
        assert found == pytest.approx(expected[name])


def test_bf16_stays_within_the_written_tolerance(model, dataset, monkeypatch):
    """docs/metrics.md: cosines within 0.02 of float32, R@k within 2 points or 3 queries."""
    exact = encode_dataset(model, dataset, 8)
    rough = encode_dataset(model, dataset, 8, precision="bf16")
    assert rough.motion.dtype == rough.text.dtype == torch.float32
    for name in ("motion", "text"):
        cosine = torch.cosine_similarity(getattr(exact, name), getattr(rough, name))
        assert cosine.min() > 1 - 1e-3
    scores = [
        torch.cosine_similarity(e.text[:, None], e.motion[None], dim=2) for e in (exact, rough)
    ]
    assert (scores[0] - scores[1]).abs().max() < 0.02
    one, other = (figures(model, dataset, size, "bf16") for size in (2, 40))
    for name, found in one.items():
        for figure, value in found.items():
            if "/R" in figure:
                allowed = max(2, 100 * 3 / found[f"{figure[:3]}/len"])
                assert abs(value - other[name][figure]) <= allowed


def test_the_model_is_left_as_it_was(model, dataset):
    model.train()
    encode_dataset(model, dataset, 8)
    assert model.training
    model.eval()


def test_latents_that_are_not_finite_are_refused():
    encoder = ActorEncoder(3, 8, 8, 2, 2, 0.0).eval()
    with pytest.raises(InputError, match="not finite"):
        encode_sequences(encoder, [torch.full((4, 3), torch.nan)], 8, "cpu")


def test_every_protocol_but_those_that_need_more_is_evaluated(model, dataset):
    assert {name for name, _ in figures(model, dataset, 8)} == set(PROTOCOLS) - {
        "nsim",
        "same_label",
    }
