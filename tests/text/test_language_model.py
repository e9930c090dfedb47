"""Captions to vectors, against transformers called directly and against arithmetic by hand."""

import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tmr.errors import InputError
from tmr.text import EmbeddingCache, TextModel
from tmr.text.pretrained import model_folder

CAPTIONS = [
    "a person walks forward slowly",
    "walks",
    "the figure raises its left hand, turns around, and then sits down on the floor",
    "someone jumps.",
    "a man kicks with the right foot",
    "A Man Kicks with the RIGHT foot!",
]


def direct(folder: Path, caption: str) -> np.ndarray:
    """Last hidden states of one caption, by transformers alone."""
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    model: Any = AutoModel.from_pretrained(folder)
    inputs = AutoTokenizer.from_pretrained(folder)(caption, return_tensors="pt")
    with torch.no_grad():
        return model.eval()(**inputs).last_hidden_state[0].numpy()


def mean_of_length_one(states: np.ndarray) -> np.ndarray:
    mean = states.sum(axis=0) / len(states)
    return mean / np.sqrt((mean * mean).sum())


def largest_difference(a: np.ndarray, b: np.ndarray) -> float:
    assert a.shape == b.shape
    return float(np.abs(a - b).max())


def test_minilm_agrees_with_transformers_on_one_caption(minilm: TextModel) -> None:
    embedding = minilm.embed(CAPTIONS)[2]
    states = direct(model_folder(minilm.token_model), CAPTIONS[2])
    assert states.shape[1] == 384
    assert largest_difference(embedding.tokens, states) < 1e-5
    assert largest_difference(embedding.sentence, mean_of_length_one(states)) < 1e-6


def test_one_model_for_both_gives_the_bits_that_it_gives_in_two_passes(minilm: TextModel) -> None:
    captions = [*CAPTIONS, "walks on", "runs on", "turns around"]
    embeddings = minilm.embed(captions)
    for embedding, tokens, sentence in zip(
        embeddings, minilm.tokens(captions), minilm.sentences(captions), strict=True
    ):
        np.testing.assert_array_equal(embedding.tokens, tokens)
        np.testing.assert_array_equal(embedding.sentence, sentence)
        assert embedding.tokens.dtype == embedding.sentence.dtype == np.float32


def test_two_models_give_tokens_of_the_one_and_sentences_of_the_other(
    tiny: TextModel, tiny_distilbert: Path, tiny_mpnet: Path
) -> None:
    for caption, embedding in zip(CAPTIONS, tiny.embed(CAPTIONS), strict=True):
        expected = mean_of_length_one(direct(tiny_mpnet, caption))
        assert largest_difference(embedding.tokens, direct(tiny_distilbert, caption)) < 1e-5
        assert largest_difference(embedding.sentence, expected) < 1e-6


def test_a_caption_has_the_same_vectors_in_any_batch(minilm: TextModel) -> None:
    words = ["a", "person", "walks", "jumps", "then", "slowly", "turns", "left", "and", "right"]
    generator = random.Random(0)
    crowd = [" ".join(generator.choices(words, k=generator.randint(1, 12))) for _ in range(150)]
    crowd += CAPTIONS
    generator.shuffle(crowd)
    together = dict(zip(crowd, minilm.embed(crowd), strict=True))
    for caption in CAPTIONS:
        (alone,) = minilm.embed([caption])
        # Batches of other sizes take other kernels, which round differently.
        assert largest_difference(alone.tokens, together[caption].tokens) < 1e-5
        assert largest_difference(alone.sentence, together[caption].sentence) < 1e-6


def test_vectors_do_not_depend_on_the_matmul_precision_of_the_process(minilm: TextModel) -> None:
    (before,) = minilm.embed(CAPTIONS[:1])
    torch.set_float32_matmul_precision("medium")
    try:
        (after,) = minilm.embed(CAPTIONS[:1])
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")
    np.testing.assert_array_equal(before.tokens, after.tokens)


def test_paraphrases_are_closer_than_other_captions(minilm: TextModel) -> None:
    pairs = [
        ("a person walks in a circle", "someone is walking around in circles"),
        ("a man throws a ball with his right hand", "the person tosses a ball, right-handed"),
        ("she sits down on a chair", "a woman takes a seat"),
        ("a person does a backflip", "someone flips backwards through the air"),
    ]
    first, second = (
        np.stack([e.sentence for e in minilm.embed(side)]) for side in zip(*pairs, strict=True)
    )
    assert (first @ second.T).argmax(axis=1).tolist() == [0, 1, 2, 3]


def test_long_captions_are_cut_and_keep_their_special_tokens(minilm: TextModel) -> None:
    # The published MiniLM reads 256 tokens: two of them special, each "walk" one of the others.
    cut, just_fits = minilm.embed(["walk " * 1000, "walk " * 254])
    assert cut.tokens.shape == (256, 384)
    np.testing.assert_array_equal(cut.tokens, just_fits.tokens)


def test_the_limit_leaves_out_reserved_positions(tiny_mpnet: Path) -> None:
    model = TextModel("mpnet", str(tiny_mpnet), str(tiny_mpnet), token_dim=16)
    assert model.token_counts(["walk " * 1000, "walk"]) == [30, 3]
    assert model.embed(["walk " * 1000])[0].tokens.shape == (30, 16)


@pytest.mark.parametrize("empty", ["", "  \n"])
def test_an_empty_caption_is_refused(minilm: TextModel, empty: str) -> None:
    with pytest.raises(InputError, match="caption 2 of 3 is empty"):
        minilm.embed(["walk", empty, "run"])


def test_token_states_need_no_sentence_library(minilm: TextModel) -> None:
    program = f"""
import sys
from tmr.text import TextModel
model = TextModel("minilm", {minilm.token_model!r}, {minilm.sentence_model!r}, 384)
assert model.tokens(["a person walks"])[0].shape == (5, 384)
assert "sentence_transformers" not in sys.modules
assert model.sentences(["a person walks"])[0].shape == (384,)
assert "sentence_transformers" in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_progress_counts_every_caption_once(tiny: TextModel) -> None:
    counts: list[int] = []
    tiny.embed(CAPTIONS * 100, on_batch=counts.append)
    assert sum(counts) == len(CAPTIONS) * 100


def test_a_wrong_token_dim_is_refused(tiny_distilbert: Path) -> None:
    model = TextModel("tiny", str(tiny_distilbert), str(tiny_distilbert), token_dim=768)
    with pytest.raises(InputError, match="states of 24 numbers, expected token_dim=768"):
        model.embed(["walk"])


def test_weights_that_do_not_cover_the_model_are_refused(
    tiny_distilbert: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_distilbert, tmp_path / "partial")
    weights = load_file(folder / "model.safetensors")
    del weights["distilbert.transformer.layer.1.ffn.lin1.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"lack 1 of the model's tensors.*layer\.1\.ffn"):
        TextModel("tiny", str(folder), str(folder), 24).embed(["walk"])


def test_damaged_weights_are_refused_in_one_line(tiny_distilbert: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_distilbert, tmp_path / "damaged")
    (folder / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(InputError, match=r"^cannot load a language model from [^\n]*$"):
        TextModel("tiny", str(folder), str(folder), 24).embed(["walk"])


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_an_unknown_device_is_refused(tiny_distilbert: Path, device: str) -> None:
    with pytest.raises(InputError, match=f"device={device}"):
        TextModel("tiny", str(tiny_distilbert), str(tiny_distilbert), 24, device).embed(["walk"])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_gives_the_vectors_of_the_cpu(minilm: TextModel) -> None:
    gpu = TextModel(minilm.name, minilm.token_model, minilm.sentence_model, 384, device="cuda")
    for a, b in zip(gpu.embed(CAPTIONS), minilm.embed(CAPTIONS), strict=True):
        assert largest_difference(a.tokens, b.tokens) < 1e-4


def test_loading_prints_nothing(
    tiny: TextModel, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    tiny.embed(["walk"])
    assert capfd.readouterr() == ("", "")
    assert not [r for r in caplog.records if not r.name.startswith("tmr.")]


def test_reading_a_cache_imports_no_language_library(tiny: TextModel, tmp_path: Path) -> None:
    EmbeddingCache(tmp_path, tiny).build(["a person walks"])
    program = f"""
import sys
from tmr.text import EmbeddingCache, TextModel
model = TextModel({tiny.name!r}, {tiny.token_model!r}, {tiny.sentence_model!r}, {tiny.token_dim})
cache = EmbeddingCache({str(tmp_path)!r}, model)
assert cache.sentences(["a person walks"]).shape == (1, 16)
assert cache.build(["a person walks"]) == 0
heavy = {{"transformers", "tokenizers", "huggingface_hub", "sentence_transformers"}}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
