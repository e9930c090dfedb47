"""The command that embeds the captions of a data set."""

import gzip
import json
import shlex
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest

from tests.processes import completed
from tmr.data.caption_embeddings import embed_captions
from tmr.errors import InputError
from tmr.text import EmbeddingCache, TextModel

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
MODEL = TextModel("minilm", MINILM, MINILM, 384)
TEXTS = ["a person walks", "someone jumps twice", "a person walks"]


def annotations(texts: list[str]) -> bytes:
    captions = [
        {"seg_id": f"0_{i}", "text": text, "start": 0.0, "end": 3.0} for i, text in enumerate(texts)
    ]
    entry = {"path": "synthetic/0", "duration": 3.0, "annotations": captions}
    return json.dumps({"000000": entry}).encode()


def command(root: Path, *options: str) -> CompletedProcess[str]:
    return completed(root, shlex.join(["python", "-m", "prepare.text_embeddings", *options]))


def test_the_command_embeds_each_caption_once(root: Path, tmp_path: Path) -> None:
    (tmp_path / "annotations.json").write_bytes(annotations(TEXTS))
    done = command(root, "data=synthetic", "language_model=minilm", f"data.annotations={tmp_path}")
    assert done.returncode == 0, done.stderr
    assert "2 of 2 captions embedded" in done.stdout
    cache = EmbeddingCache(tmp_path / "text_embeddings" / "minilm", MODEL)
    assert cache.missing(TEXTS) == []
    np.testing.assert_allclose(np.linalg.norm(cache.sentences(TEXTS), axis=1), 1, atol=1e-6)


def test_without_annotations_one_line_says_what_to_do(root: Path, tmp_path: Path) -> None:
    done = command(root, "data=kitml", "language_model=minilm", f"data.annotations={tmp_path}")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: no annotations at {tmp_path / 'annotations.json'}")
    assert list(tmp_path.iterdir()) == []


def test_packed_annotations_are_read(tmp_path: Path) -> None:
    (tmp_path / "annotations.json.gz").write_bytes(gzip.compress(annotations(TEXTS)))
    assert len(embed_captions(tmp_path, MODEL)) == 2


def test_an_empty_caption_is_named_by_its_key(tmp_path: Path) -> None:
    (tmp_path / "annotations.json").write_bytes(annotations(["a person walks", " "]))
    with pytest.raises(InputError, match=r"key '000000': a caption is empty"):
        embed_captions(tmp_path, MODEL)
    assert not (tmp_path / "text_embeddings").exists()
