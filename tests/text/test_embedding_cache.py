"""Embeddings on disk: what is read is what was embedded, whatever interrupts or damages it."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from tests.damage import damaged
from tmr import progress
from tmr.text import EmbeddingCache, TextEmbedding, TextModel, embeddings_folder

STEPS = ["walk", "walks", "jump", "kick", "wave", "turn"]
CAPTIONS = [
    f"a person {first} {side} and then {second}"
    for first in STEPS
    for second in STEPS
    for side in ("left", "right", "forward slowly")
]


def read(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def same(a: TextEmbedding, b: TextEmbedding) -> bool:
    return np.array_equal(a.tokens, b.tokens) and np.array_equal(a.sentence, b.sentence)


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The captions of every call to ``TextModel.sentences``."""
    calls: list[list[str]] = []
    sentences = TextModel.sentences

    def recorded(self: TextModel, captions: Sequence[str], on_batch=None):
        calls.append(list(captions))
        return sentences(self, captions, on_batch)

    monkeypatch.setattr(TextModel, "sentences", recorded)
    return calls


def test_what_is_read_is_what_the_model_says(tiny: TextModel, tmp_path: Path) -> None:
    assert EmbeddingCache(tmp_path, tiny, shard_size=20).build(CAPTIONS * 2) == len(CAPTIONS)
    cache = EmbeddingCache(tmp_path, tiny)
    assert len(cache) == len(CAPTIONS)
    assert len(list(tmp_path.iterdir())) == 6  # 108 captions, 20 in a shard
    expected = tiny.embed(CAPTIONS)
    for caption, embedding in zip(CAPTIONS, expected, strict=True):
        np.testing.assert_allclose(cache.tokens(caption), embedding.tokens, atol=1e-6)
        np.testing.assert_allclose(cache.sentence(caption), embedding.sentence, atol=1e-6)
    sentences = cache.sentences(CAPTIONS[:7])
    np.testing.assert_allclose(sentences, [e.sentence for e in expected[:7]], atol=1e-6)


def test_any_safetensors_reader_reads_a_shard(tiny: TextModel, tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path, tiny)
    cache.build(["walk", "a person walks"])
    arrays = load_file(tmp_path / "shard-00000.safetensors")
    assert arrays["offsets"].tolist() == [0, 3, 3 + 6]  # [CLS] a person walk ##s [SEP]
    np.testing.assert_array_equal(arrays["tokens"][3:], cache.tokens("a person walks"))
    assert arrays["sentences"].shape == (2, 16)


def test_torch_takes_the_arrays_and_cannot_change_the_file(tiny: TextModel, tmp_path: Path) -> None:
    EmbeddingCache(tmp_path, tiny).build(["walk"])
    before = read(tmp_path)
    torch.from_numpy(EmbeddingCache(tmp_path, tiny).tokens("walk")).zero_()
    assert read(tmp_path) == before
    assert EmbeddingCache(tmp_path, tiny).tokens("walk").any()


def test_new_captions_are_embedded_in_one_call_and_kept_in_memory_only(
    tiny: TextModel, tmp_path: Path, embedded: list[list[str]]
) -> None:
    cache = EmbeddingCache(tmp_path, tiny)
    cache.build(["walk"])
    before = read(tmp_path)
    embedded.clear()
    assert cache.missing(["jump", "walk", "kick", "jump"]) == ["jump", "kick"]
    cache.prefetch(["jump", "walk", "kick", "jump"])
    assert cache.sentences(["kick", "wave", "walk", "turn"]).shape == (4, 16)
    assert cache.tokens("turn").shape == (3, 24)
    assert same(cache["jump"], tiny.embed(["jump"])[0])
    assert embedded == [["jump", "kick"], ["wave", "turn"], ["jump"]]
    assert read(tmp_path) == before
    assert "jump" not in cache
    assert cache.missing(["jump"]) == ["jump"]


def test_a_second_build_adds_only_what_is_new(
    tiny: TextModel, tmp_path: Path, embedded: list[list[str]]
) -> None:
    EmbeddingCache(tmp_path, tiny).build(["walk", "jump"])
    before = read(tmp_path)
    assert EmbeddingCache(tmp_path, tiny).build(["walk", "jump"]) == 0
    assert read(tmp_path) == before
    assert EmbeddingCache(tmp_path, tiny).build(["kick", "jump"]) == 1
    assert embedded == [["jump", "walk"], ["kick"]]
    assert len(EmbeddingCache(tmp_path, tiny)) == 3


def test_the_cache_of_another_model_is_not_used_and_made_again(
    tiny: TextModel, tiny_mpnet: Path, tmp_path: Path
) -> None:
    EmbeddingCache(tmp_path, tiny).build(["walk"])
    other = replace(tiny, name="other", token_model=str(tiny_mpnet), token_dim=16)
    cache = EmbeddingCache(tmp_path, other)
    assert cache.missing(["walk"]) == ["walk"]
    assert same(cache["walk"], other.embed(["walk"])[0])
    assert EmbeddingCache(tmp_path, other).build(["walk"]) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["shard-00000.safetensors"]


def test_a_damaged_shard_alone_is_made_again(
    tiny: TextModel, tmp_path: Path, embedded: list[list[str]]
) -> None:
    EmbeddingCache(tmp_path, tiny, shard_size=30).build(CAPTIONS)
    whole = read(tmp_path)
    shard = tmp_path / "shard-00001.safetensors"
    expected = dict(zip(CAPTIONS, tiny.embed(CAPTIONS), strict=True))
    for what, content in damaged(whole[shard.name], seed=3, flips=3):
        shard.write_bytes(content)
        reader = EmbeddingCache(tmp_path, tiny)
        for caption in CAPTIONS:  # without a build: those of the shard are embedded now
            np.testing.assert_allclose(
                reader[caption].tokens, expected[caption].tokens, atol=2e-6, err_msg=what
            )
        embedded.clear()
        made = EmbeddingCache(tmp_path, tiny, shard_size=30).build(CAPTIONS)
        assert made in (0, 30), what
        assert [len(call) for call in embedded] == [30] * (made // 30)
        assert made == 0 or read(tmp_path) == whole, what


def test_captions_of_an_unreadable_shard_are_embedded_on_the_fly(
    tiny: TextModel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    EmbeddingCache(tmp_path, tiny).build(["walk"])
    expected = tiny.embed(["walk"])[0]
    shard = tmp_path / "shard-00000.safetensors"
    shard.write_bytes(shard.read_bytes()[:-100])
    cache = EmbeddingCache(tmp_path, tiny)
    assert "shard-00000.safetensors is damaged" in caplog.text
    assert cache.missing(["walk"]) == ["walk"]
    assert same(cache["walk"], expected)


def test_killed_and_resumed_gives_the_bytes_of_an_undisturbed_build(
    minilm: TextModel, tmp_path: Path
) -> None:
    captions = [f"a person {a} {b} times" for a in STEPS for b in range(12)]
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    EmbeddingCache(undisturbed, minilm, shard_size=3).build(captions)
    program = f"""
import torch
from tests.damage import damaged
from tmr.text import EmbeddingCache, TextModel
torch.set_num_threads(1)
model = TextModel("minilm", {minilm.token_model!r}, {minilm.sentence_model!r}, 384)
EmbeddingCache({str(killed)!r}, model, shard_size=3).build({captions!r})
"""
    process = subprocess.Popen([sys.executable, "-c", program])
    deadline = time.monotonic() + 600
    while len(list(killed.glob("shard-*"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL

    finished = {path: path.stat().st_mtime_ns for path in killed.glob("shard-*")}
    assert 3 <= len(finished) < 24
    for partial in killed.glob(".tmr-partial-*"):
        os.utime(partial, (0, 0))  # as some seconds later
    made = EmbeddingCache(killed, minilm, shard_size=3).build(captions)
    assert made == len(captions) - 3 * len(finished)
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    assert read(killed) == read(undisturbed)


def test_a_build_shows_its_progress(
    tiny: TextModel,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    with caplog.at_level(logging.INFO):
        EmbeddingCache(tmp_path, tiny, shard_size=30).build(CAPTIONS, progress=True)
    assert f"embed: {len(CAPTIONS)} of {len(CAPTIONS)} captions, " in caplog.text


def test_embeddings_lie_beside_the_annotations() -> None:
    folder = embeddings_folder("datasets/annotations/kitml", "minilm")
    assert folder == Path("datasets/annotations/kitml/text_embeddings/minilm")
