"""Caption embeddings kept on disk, in memory-mapped shards.

A shard is a cache file (`tmr.cache`) made from the language models: ``tokens`` (states of all its
captions, concatenated), ``offsets`` (where each caption's states start and end), ``sentences``, and
the captions as its record.
"""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from tmr import cache
from tmr.io import WriteError
from tmr.progress import Progress
from tmr.text.language_model import TextEmbedding, TextModel

log = logging.getLogger(__name__)

SHARD_SIZE = 2048  # captions
VERSION = 1


def embeddings_folder(annotations: Path | str, text_name: str) -> Path:
    """Where the embeddings of a data set are: ``annotations`` is its annotation folder."""
    return Path(annotations) / "text_embeddings" / text_name


class EmbeddingCache:
    """Caption -> embedding: read from the shards in ``folder``, computed when it is not there.

    Vectors of captions outside the cache are kept in memory, not on disk: only ``build`` writes.
    A shard made with other language models than ``model``, or a damaged one, is not used.
    Arrays that come back are views of the mapped files; a change made to them stays in memory.
    """

    def __init__(self, folder: Path | str, model: TextModel, shard_size: int = SHARD_SIZE) -> None:
        self.folder = Path(folder)
        self.model = model
        self.shard_size = shard_size
        self._rows: dict[str, tuple[_Shard, int]] = {}
        self._tokens: dict[str, Float[np.ndarray, "_ dim"]] = {}
        self._sentences: dict[str, Float[np.ndarray, " dim"]] = {}
        for path in self._shard_files():
            shard = _Shard.open(path, self._fingerprint)
            if shard is not None:
                self._add(shard)

    def build(self, captions: Iterable[str], progress: bool = False) -> int:
        """Embed the captions that no intact shard holds; returns how many that were.

        Every shard is read once and its checksum compared: those that are damaged, or made with
        other language models, are made again. After an interruption the next build continues
        after the last finished shard, and the files are in the end, byte for byte, those of an
        undisturbed build. One build at a time in a folder.

        Raises:
            WriteError: the folder cannot be written to, or the disk is full.
        """
        self._keep_intact_shards()
        missing = self.missing(captions)
        if not missing:
            return 0  # without loading the language models
        # Equally long captions lie together: large batches, and the same order after each restart.
        counts = self.model.token_counts(missing)
        ordered = [caption for _, caption in sorted(zip(counts, missing, strict=True))]
        with Progress("embed", "captions", len(ordered), progress) as bar:
            for start in range(0, len(ordered), self.shard_size):
                part = ordered[start : start + self.shard_size]
                embeddings = self.model.embed(part, on_batch=bar.update)
                path = self._free_path()
                shard = _Shard.write(path, part, embeddings, self._fingerprint)
                if shard is None:
                    raise WriteError(f"the embeddings cannot be kept in {self.folder}")
                self._add(shard)
        return len(ordered)

    def missing(self, captions: Iterable[str]) -> list[str]:
        """The captions that are not on disk, without repeats, in their order."""
        return [caption for caption in dict.fromkeys(captions) if caption not in self]

    def prefetch(self, captions: Iterable[str]) -> None:
        """Embed in one go, and keep in memory, all of ``captions`` that are not at hand."""
        captions = list(captions)
        self._keep_tokens(captions)
        self._keep_sentences(captions)

    def __len__(self) -> int:
        """Number of captions on disk."""
        return len(self._rows)

    def __contains__(self, caption: str) -> bool:
        """Whether the caption is on disk, intact."""
        while caption in self._rows:
            shard, _ = self._rows[caption]
            if shard.is_intact():
                return True
            self._drop(shard)
        return False

    def __getitem__(self, caption: str) -> TextEmbedding:
        """The embedding of a caption, computed now if it is not at hand."""
        return TextEmbedding(self.tokens(caption), self.sentence(caption))

    def tokens(self, caption: str) -> Float[np.ndarray, "tokens dim"]:
        """Token states of a caption, special tokens included."""
        if caption in self:
            shard, row = self._rows[caption]
            return shard.tokens(row)
        self._keep_tokens([caption])
        return self._tokens[caption]

    def sentence(self, caption: str) -> Float[np.ndarray, " sentence_dim"]:
        """Sentence vector of a caption, of length 1."""
        if caption in self:
            shard, row = self._rows[caption]
            return shard.sentence(row)
        self._keep_sentences([caption])
        return self._sentences[caption]

    def token_states(self, captions: Sequence[str]) -> list[Float[np.ndarray, "_ dim"]]:
        """Token states of captions, in order; new ones are embedded in one go."""
        self._keep_tokens(captions)
        return [self.tokens(caption) for caption in captions]

    def sentences(self, captions: Sequence[str]) -> Float[np.ndarray, "n sentence_dim"]:
        """Sentence vectors of at least one caption, in order; new ones are embedded in one go."""
        self._keep_sentences(captions)
        return np.stack([self.sentence(caption) for caption in captions])

    def _keep_tokens(self, captions: Iterable[str]) -> None:
        new = [caption for caption in self.missing(captions) if caption not in self._tokens]
        if new:
            self._tokens.update(zip(new, self.model.tokens(new), strict=True))

    def _keep_sentences(self, captions: Iterable[str]) -> None:
        new = [caption for caption in self.missing(captions) if caption not in self._sentences]
        if new:
            self._sentences.update(zip(new, self.model.sentences(new), strict=True))

    @property
    def _fingerprint(self) -> str:
        return cache.fingerprint("text_embeddings", VERSION, models=self.model.fingerprint)

    def _shard_files(self) -> list[Path]:
        return sorted(self.folder.glob("shard-*.safetensors"))

    def _free_path(self) -> Path:
        number = 0
        while (path := self.folder / f"shard-{number:05d}.safetensors").exists():
            number += 1
        return path

    def _add(self, shard: "_Shard") -> None:
        self._rows.update((caption, (shard, row)) for row, caption in enumerate(shard.captions))

    def _drop(self, shard: "_Shard") -> None:
        self._rows = {text: place for text, place in self._rows.items() if place[0] is not shard}

    def _keep_intact_shards(self) -> None:
        self._rows.clear()
        for path in self._shard_files():
            shard = _Shard.open(path, self._fingerprint)
            if shard is not None and shard.is_intact():
                self._add(shard)
            else:
                path.unlink()


class _Shard:
    """One finished file, memory-mapped; its checksum is compared when it is first used."""

    def __init__(self, file: cache.CacheFile) -> None:
        self.captions: list[str] = file.record
        self._file = file
        self._intact: bool | None = None
        self._tokens, self._offsets, self._sentences = (
            file.tensors[name].numpy() for name in ("tokens", "offsets", "sentences")
        )

    @staticmethod
    def open(path: Path, fingerprint: str) -> "_Shard | None":
        file = cache.read(path, fingerprint, verify=False)
        return None if file is None else _Shard(file)

    @staticmethod
    def write(
        path: Path, captions: Sequence[str], embeddings: Sequence[TextEmbedding], fingerprint: str
    ) -> "_Shard | None":
        tensors = {
            "tokens": np.concatenate([e.tokens for e in embeddings]),
            "offsets": np.cumsum([0, *(len(e.tokens) for e in embeddings)], dtype=np.int64),
            "sentences": np.stack([e.sentence for e in embeddings]),
        }
        arrays = {name: torch.from_numpy(array) for name, array in tensors.items()}
        if not cache.write(path, arrays, list(captions), fingerprint):
            return None
        return _Shard.open(path, fingerprint)

    def tokens(self, row: int) -> Float[np.ndarray, "tokens dim"]:
        start, end = self._offsets[row : row + 2]
        return self._tokens[start:end]

    def sentence(self, row: int) -> Float[np.ndarray, " sentence_dim"]:
        return self._sentences[row]

    def is_intact(self) -> bool:
        if self._intact is None:
            self._intact = self._file.is_intact()
        return self._intact
