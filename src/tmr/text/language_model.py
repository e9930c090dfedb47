"""Frozen language models that turn captions into token states and sentence vectors."""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import orjson
import torch
import torch.nn.functional as F
from jaxtyping import Float

from tmr import cache
from tmr.device import choose_device, full_float32
from tmr.digests import content_digest
from tmr.errors import InputError
from tmr.text.pretrained import WEIGHTS, model_folder

log = logging.getLogger(__name__)

BATCH_SIZE = 256
# BLAS multiplies matrices of very few rows by other kernels, which round differently: smaller
# batches are filled up with copies, so that a caption alone has the bits it has in a crowd.
SMALLEST_BATCH = 4
Given = TypeVar("Given")
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class TextEmbedding:
    """The vectors of one caption, float32.

    ``tokens`` are the last hidden states of the token model, special tokens included; ``sentence``
    is the mean of the sentence model's token states, scaled to length 1.
    """

    tokens: Float[np.ndarray, "tokens dim"]
    sentence: Float[np.ndarray, " sentence_dim"]


@dataclass(frozen=True)
class TextModel:
    """A token model and a sentence model, loaded at first use.

    ``token_model`` and ``sentence_model`` are names on the Hugging Face hub or local folders.
    ``token_dim`` is the width of the token states. ``device`` is ``cpu``, ``cuda``, ``cuda:1`` ...,
    or ``auto``: a GPU where there is one. The configuration group ``text`` holds one record of
    these fields for each choice.

    Raises:
        InputError: at first use, when a model cannot be found, is damaged, or does not fit
            ``token_dim``.
    """

    name: str
    token_model: str
    sentence_model: str
    token_dim: int
    device: str = "cpu"

    @cached_property
    def fingerprint(self) -> str:
        """Stands for both models: their names, and of local folders the content of the weights."""
        models = {"tokens": self.token_model, "sentences": self.sentence_model}
        return cache.fingerprint("text_model", 1, **{k: _identity(m) for k, m in models.items()})

    def embed(
        self, captions: Sequence[str], on_batch: Callable[[int], object] | None = None
    ) -> list[TextEmbedding]:
        """The embedding of each caption, in order: ``tokens`` and ``sentences`` together.

        Where one model is both, captions pass through it once. ``on_batch`` is called with the
        number of captions finished.

        Raises:
            InputError: a caption is empty; or as the class says.
        """
        if self.token_model == self.sentence_model:
            return self._embed_once(captions, on_batch)
        tokens = self.tokens(captions)
        return [
            TextEmbedding(states, sentence)
            for states, sentence in zip(tokens, self.sentences(captions, on_batch), strict=True)
        ]

    def _embed_once(
        self, captions: Sequence[str], on_batch: Callable[[int], object] | None
    ) -> list[TextEmbedding]:
        """The embeddings by the sentence model alone."""
        _check(captions)
        ids = self._token_encoder.token_ids(captions)
        return _by_length(captions, ids, self._sentence_encoder.embeddings, on_batch)

    def tokens(self, captions: Sequence[str]) -> list[Float[np.ndarray, "_ dim"]]:
        """The token states of each caption, in order.

        Captions are batched by their exact number of tokens, so nothing is padded and the vectors
        of a caption do not depend on its neighbors. Captions longer than the model reads are
        cut, special tokens kept.

        Raises:
            InputError: a caption is empty; or as the class says.
        """
        _check(captions)
        ids = self._token_encoder.token_ids(captions)
        return _by_length(ids, ids, self._token_encoder.states)

    def sentences(
        self, captions: Sequence[str], on_batch: Callable[[int], object] | None = None
    ) -> list[Float[np.ndarray, " dim"]]:
        """The sentence vector of each caption, in order, by sentence-transformers.

        Importing that library takes seconds: only what prepares or compares captions comes here,
        and no search.

        Raises:
            InputError: a caption is empty; or as the class says.
        """
        _check(captions)
        ids = self._sentence_encoder.token_ids(captions)
        return _by_length(captions, ids, self._sentence_encoder.vectors, on_batch)

    def token_counts(self, captions: Sequence[str]) -> list[int]:
        """Number of token states of each caption, special tokens included."""
        return [len(ids) for ids in self._token_encoder.token_ids(captions)]

    @cached_property
    def _token_encoder(self) -> "_Encoder":
        encoder = _Encoder(self.token_model, self.device)
        if encoder.dim != self.token_dim:
            raise InputError(
                f"language_model={self.name}: {self.token_model} gives token states of "
                f"{encoder.dim} numbers, expected token_dim={self.token_dim}"
            )
        return encoder

    @cached_property
    def _sentence_encoder(self) -> "_SentenceEncoder":
        return _SentenceEncoder(self.sentence_model, self.device)


def _identity(model: str) -> str:
    weights = Path(model) / WEIGHTS
    return content_digest(weights) if weights.is_file() else model


def _check(captions: Sequence[str]) -> None:
    empty = [i for i, caption in enumerate(captions) if not caption.strip()]
    if empty:
        raise InputError(f"caption {empty[0] + 1} of {len(captions)} is empty: nothing to embed")


def _by_length(
    given: Sequence[Given],
    ids: Sequence[list[int]],
    made: Callable[[list[Given]], Iterable[Made]],
    on_batch: Callable[[int], object] | None = None,
) -> list[Made]:
    """What ``made`` gives for each of ``given``, in order, in batches of equally many tokens."""
    rows_by_length: dict[int, list[int]] = defaultdict(list)
    for row, caption_ids in enumerate(ids):
        rows_by_length[len(caption_ids)].append(row)
    found: dict[int, Made] = {}
    for _, rows in sorted(rows_by_length.items()):
        for start in range(0, len(rows), BATCH_SIZE):
            batch = rows[start : start + BATCH_SIZE]
            found.update(zip(batch, made([given[row] for row in batch]), strict=True))
            if on_batch is not None:
                on_batch(len(batch))
    return [found[i] for i in range(len(given))]


class _Encoder:
    """One pretrained transformer, its tokenizer, and the longest input it reads."""

    def __init__(self, name: str, device: str) -> None:
        self.device = torch.device(choose_device(device))
        folder = model_folder(name)
        log.info("loading the language model %s", name)
        with quiet_libraries():
            self.tokenizer, self.model = _load(folder)
        self.model.to(self.device)
        self.dim: int = self.model.config.hidden_size
        self.max_tokens = _max_tokens(self.model, self.tokenizer, folder)

    def token_ids(self, captions: Sequence[str]) -> list[list[int]]:
        """Token numbers of each caption, special tokens included, cut at the model's maximum."""
        return _token_ids(self.tokenizer, captions, self.max_tokens)

    @torch.inference_mode()
    def states(self, ids: Sequence[list[int]]) -> Float[np.ndarray, "batch tokens dim"]:
        """Last hidden states of equally long captions."""
        filled = torch.tensor(_filled_up(ids), device=self.device)
        with full_float32():
            output = self.model(input_ids=filled, attention_mask=torch.ones_like(filled))
        return output.last_hidden_state[: len(ids)].numpy(force=True)


class _SentenceEncoder:
    """One model of sentence-transformers: mean of the token states, scaled to length 1."""

    def __init__(self, name: str, device: str) -> None:
        folder = model_folder(name)
        with quiet_libraries():
            from sentence_transformers import SentenceTransformer  # noqa: PLC0415  takes seconds

            self.tokenizer, model = _load(folder)  # refuses weights that do not cover the model
            self.max_tokens = _max_tokens(model, self.tokenizer, folder)
            del model
            log.info("loading the sentence model %s", name)
            self.model = SentenceTransformer(
                str(folder), device=choose_device(device), local_files_only=True
            )
        self.model.max_seq_length = self.max_tokens

    def token_ids(self, captions: Sequence[str]) -> list[list[int]]:
        """Token numbers of each caption, special tokens included, cut at the model's maximum."""
        return _token_ids(self.tokenizer, captions, self.max_tokens)

    def vectors(self, captions: Sequence[str]) -> Float[np.ndarray, "batch dim"]:
        """Sentence vectors of captions of equally many tokens."""
        with full_float32():
            vectors = self.model.encode(
                _filled_up(captions),
                batch_size=BATCH_SIZE,
                normalize_embeddings=True,
                show_progress_bar=False,
            )
        return np.asarray(vectors, dtype=np.float32)[: len(captions)]

    def embeddings(self, captions: Sequence[str]) -> list[TextEmbedding]:
        """Token states and sentence vectors of captions of equally many tokens."""
        with full_float32():
            found: Any = self.model.encode(
                _filled_up(captions),
                batch_size=BATCH_SIZE,
                output_value=None,  # all that the model makes
                show_progress_bar=False,
            )
        found = found[: len(captions)]
        states = torch.stack([one["token_embeddings"] for one in found]).numpy(force=True)
        vectors = torch.stack([one["sentence_embedding"] for one in found])
        vectors = F.normalize(vectors, dim=1).numpy(force=True)
        return [TextEmbedding(*both) for both in zip(states, vectors, strict=True)]


def _filled_up(batch: Sequence[Any]) -> list[Any]:
    copies = SMALLEST_BATCH if len(batch) < SMALLEST_BATCH else 1
    return list(batch) * copies


def _token_ids(tokenizer: Any, captions: Sequence[str], most: int) -> list[list[int]]:
    if not captions:
        return []
    return tokenizer(list(captions), truncation=True, max_length=most).input_ids


def _load(folder: Path) -> tuple[Any, Any]:
    """The tokenizer and the frozen float32 model of a folder; nothing is fetched.

    Raises:
        InputError: a file is missing or unreadable, or the weights do not cover the model.
    """
    from transformers import AutoModel, AutoTokenizer  # noqa: PLC0415  takes seconds

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model, found = AutoModel.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    except Exception as error:  # each kind of damaged file has its own exception
        reason = str(error).strip().partition("\n")[0]
        raise InputError(f"cannot load a language model from {folder}: {reason}") from error
    # transformers fills whatever the file lacks with random numbers. We do not use the pooler.
    missing = sorted(key for key in found["missing_keys"] if not key.startswith("pooler."))
    if missing:
        raise InputError(
            f"the weights in {folder} lack {len(missing)} of the model's tensors, "
            f"such as {missing[0]}: fetch the model again"
        )
    return tokenizer, model.eval().requires_grad_(False)


def _max_tokens(model: Any, tokenizer: Any, folder: Path) -> int:
    """The longest input: the smallest of the limits that a model states about itself."""
    table = model.embeddings.position_embeddings
    reserved = 0 if table.padding_idx is None else table.padding_idx + 1
    limits = [tokenizer.model_max_length, table.num_embeddings - reserved]
    pooling = folder / "sentence_bert_config.json"  # of sentence-transformers
    if pooling.is_file():
        limits.append(orjson.loads(pooling.read_bytes()).get("max_seq_length") or limits[0])
    return int(min(limits))


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Only errors from transformers and sentence-transformers, and no progress bars of theirs."""
    from transformers.utils import logging as library  # noqa: PLC0415

    loggers = [logging.getLogger(name) for name in ("transformers", "sentence_transformers")]
    levels = [logger.level for logger in loggers]
    had_bars = library.is_progress_bar_enabled()
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    library.disable_progress_bar()
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if had_bars:
            library.enable_progress_bar()
