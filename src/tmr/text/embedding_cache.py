"""Caption embeddings kept on disk, in memory-mapped shards.

A shard is one safetensors file: ``tokens`` (states of all its captions, one behind the other),
``offsets`` (where each caption's states start and end), ``sentences``, and in its metadata the
captions, the models that made it and a checksum. A shard appears under its name when it is whole.
"""

import logging
import math
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from jaxtyping import Float, Int64
from safetensors.numpy import save_file
from tqdm import tqdm

from tmr.errors import InputError
from tmr.io import atomic_path
from tmr.text.language_model import TextEmbedding, TextModel

log = logging.getLogger(__name__)

SHARD_SIZE = 2048
NUMPY_TYPES = {"F32": np.float32, "I64": np.int64}


def embeddings_folder(annotations: Path | str, text_name: str) -> Path:
    """Where the embeddings of a data set are: ``annotations`` is its annotation folder."""
    return Path(annotations) / "text_embeddings" / text_name


class EmbeddingCache:
    """Caption -> embedding: read from the shards in ``folder``, computed when it is not there.

    Vectors of captions outside the cache are remembered in memory, not on disk: only ``build``
    writes. Arrays that come back are views of the mapped files; a change made to them stays in
    memory.

    Raises:
        InputError: ``folder`` was made with other language models than ``model``.
    """

    def __init__(self, folder: Path | str, model: TextModel, shard_size: int = SHARD_SIZE) -> None:
        self.folder = Path(folder)
        self.model = model
        self.shard_size = shard_size
        self._places: dict[str, tuple[_Shard, int]] = {}
        self._remembered: dict[str, TextEmbedding] = {}
        for path in self._shard_files():
            try:
                self._add(_Shard(path))
            except _Damaged as damage:
                log.warning("%s %s: `python -m prepare.text_embeddings` redoes it", path, damage)

    def build(self, captions: Iterable[str], progress: bool = False) -> int:
        """Embed the captions that no intact shard holds; returns how many that were.

        Every shard is read once and its checksum compared: damaged ones are made again. After an
        interruption the next build goes on behind the last finished shard, and the files are in
        the end, byte for byte, those of an undisturbed build. One build at a time in a folder.
        """
        self._drop_damaged()
        missing = self.missing(captions)
        if not missing:
            return 0  # without loading the language models
        # Equally long captions lie together: large batches, and the same order after each restart.
        counts = self.model.token_counts(missing)
        ordered = [caption for _, caption in sorted(zip(counts, missing, strict=True))]
        with tqdm(total=len(ordered), disable=not progress, unit="caption") as bar:
            for start in range(0, len(ordered), self.shard_size):
                part = ordered[start : start + self.shard_size]
                path = self._free_path()
                _write(path, part, self.model.embed(part, on_batch=bar.update), self._models)
                self._add(_Shard(path))
        return len(ordered)

    def missing(self, captions: Iterable[str]) -> list[str]:
        """The captions that are not on disk, without repeats, in their order."""
        return [caption for caption in dict.fromkeys(captions) if caption not in self._places]

    def prefetch(self, captions: Iterable[str]) -> None:
        """Embed in one go, and remember in memory, all of ``captions`` that are not at hand."""
        new = [c for c in self.missing(captions) if c not in self._remembered]
        if new:
            self._remembered.update(zip(new, self.model.embed(new), strict=True))

    def embed(self, captions: Sequence[str]) -> list[TextEmbedding]:
        """The embedding of each caption, in order, like ``TextModel.embed``."""
        self.prefetch(captions)
        return [self[caption] for caption in captions]

    def __len__(self) -> int:
        """Number of captions on disk."""
        return len(self._places)

    def __contains__(self, caption: object) -> bool:
        """Whether the caption is on disk."""
        return caption in self._places

    def __getitem__(self, caption: str) -> TextEmbedding:
        """The embedding of a caption, computed now if it is not at hand."""
        if caption in self._places:
            shard, row = self._places[caption]
            return shard[row]
        self.prefetch([caption])
        return self._remembered[caption]

    def tokens(self, caption: str) -> Float[np.ndarray, "tokens dim"]:
        """Token states of a caption, special tokens included."""
        return self[caption].tokens

    def sentence(self, caption: str) -> Float[np.ndarray, " sentence_dim"]:
        """Sentence vector of a caption, of length 1."""
        return self[caption].sentence

    def sentences(self, captions: Sequence[str]) -> Float[np.ndarray, "n sentence_dim"]:
        """Sentence vectors of at least one caption, in order; new ones are embedded in one go."""
        self.prefetch(captions)
        return np.stack([self.sentence(caption) for caption in captions])

    @property
    def _models(self) -> dict[str, str]:
        return {"tokens": self.model.token_model, "sentences": self.model.sentence_model}

    def _shard_files(self) -> list[Path]:
        return sorted(self.folder.glob("shard-*.safetensors"))

    def _free_path(self) -> Path:
        number = 0
        while (path := self.folder / f"shard-{number:05d}.safetensors").exists():
            number += 1
        return path

    def _add(self, shard: "_Shard") -> None:
        if shard.models != self._models:
            raise InputError(
                f"{self.folder} was made with {_names(shard.models)}, expected "
                f"{_names(self._models)}: delete the folder and run "
                f"`python -m prepare.text_embeddings data=NAME language_model={self.model.name}`"
            )
        self._places.update((caption, (shard, row)) for row, caption in enumerate(shard.captions))

    def _drop_damaged(self) -> None:
        for leftover in self.folder.glob(".shard-*.safetensors"):  # of a build that was killed
            leftover.unlink()
        self._places.clear()
        for path in self._shard_files():
            try:
                shard = _Shard(path)
                shard.verify()
            except _Damaged as damage:
                log.warning("%s %s: making it again", path, damage)
                path.unlink()
            else:
                self._add(shard)


def _names(models: dict[str, str]) -> str:
    return " and ".join(dict.fromkeys(models.values()))


class _Damaged(Exception):
    """A shard cannot be read."""


@dataclass(frozen=True, slots=True)
class _Arrays:
    tokens: Float[np.ndarray, "all_tokens dim"]
    offsets: Int64[np.ndarray, " ends"]
    sentences: Float[np.ndarray, "captions sentence_dim"]

    def checksum(self) -> int:
        crc = 0
        for array in (self.tokens, self.offsets, self.sentences):
            crc = zlib.crc32(array.data.cast("B"), crc)
        return crc


class _Shard:
    """One finished file, memory-mapped."""

    def __init__(self, path: Path) -> None:
        try:
            tensors, metadata = _map(path)
            self._arrays = _Arrays(**tensors)
            self.captions: list[str] = metadata["captions"]
            self.models: dict[str, str] = metadata["models"]
            self._checksum: int = metadata["checksum"]
        except (LookupError, ValueError, TypeError, AttributeError, OSError) as error:
            raise _Damaged("is damaged or incomplete") from error

    def __getitem__(self, row: int) -> TextEmbedding:
        start, end = self._arrays.offsets[row : row + 2]
        return TextEmbedding(self._arrays.tokens[start:end], self._arrays.sentences[row])

    def verify(self) -> None:
        """Compare the checksum, which reads the whole file."""
        if self._arrays.checksum() != self._checksum:
            raise _Damaged("has a wrong checksum")


def _write(
    path: Path,
    captions: Sequence[str],
    embeddings: Sequence[TextEmbedding],
    models: dict[str, str],
) -> None:
    arrays = _Arrays(
        tokens=np.concatenate([e.tokens for e in embeddings]),
        offsets=np.cumsum([0, *(len(e.tokens) for e in embeddings)], dtype=np.int64),
        sentences=np.stack([e.sentence for e in embeddings]),
    )
    record = {"captions": list(captions), "models": models, "checksum": arrays.checksum()}
    tensors = {name: getattr(arrays, name) for name in ("tokens", "offsets", "sentences")}
    with atomic_path(path) as temporary:
        # One entry: with several, safetensors writes them in an order that changes.
        save_file(tensors, temporary, metadata={"tmr": orjson.dumps(record).decode()})


def _map(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays of a safetensors file as views of the mapped file, and our record in it.

    The format: eight bytes with the length of a JSON header, the header, the arrays.
    """
    # Copy-on-write: views are writable, as torch wants, and the file never changes.
    content = np.memmap(path, mode="c", dtype=np.uint8).view(np.ndarray)
    begin = 8 + int(content[:8].view("<u8")[0])
    header = orjson.loads(content[8:begin].tobytes())
    record = orjson.loads(header.pop("__metadata__")["tmr"])
    arrays = {}
    for name, entry in header.items():
        dtype, shape, (start, end) = (
            NUMPY_TYPES[entry["dtype"]],
            entry["shape"],
            entry["data_offsets"],
        )
        data = content[begin + start : begin + end]
        if len(data) != math.prod(shape) * np.dtype(dtype).itemsize:
            raise ValueError(f"{name} is cut off")
        arrays[name] = data.view(dtype).reshape(shape)
    return arrays, record
