"""A gallery: latents of many motions, or of captions, in one memory-mapped file.

The file is in safetensors format. Items are packed as JSON, one behind the other, and unpacked one
at a time: a gallery of a million motions opens at once and needs little memory of its own.
"""

import logging
import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol, runtime_checkable

import orjson
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Float32, Int64, UInt8
from safetensors import SafetensorError, safe_open
from torch import Tensor

from tmr.errors import InputError
from tmr.io import save_tensors
from tmr.retrieval.metrics import shown_score

log = logging.getLogger(__name__)

TENSORS = ("latents", "seconds", "memberships", "packed", "offsets")
QUERIES_AT_ONCE = 16  # a table of scores of a million motions is then 64 MB


@dataclass(frozen=True, slots=True)
class Item:
    """What a gallery knows of a motion beside its latent.

    The latent stands for the seconds [``start``, ``end``) of the motion, which the first caption
    describes. ``stamp`` changes when the motion's file does. In a gallery of captions the key is
    the caption itself, and there is no path.
    """

    key: str
    path: str = ""
    captions: tuple[str, ...] = ()
    start: float = 0.0
    end: float = 0.0
    splits: tuple[str, ...] = ()
    stamp: int = 0

    @property
    def seconds(self) -> float:
        """Length of the part that the latent stands for."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Hit:
    """An item that was found: its row in the gallery, and the score (1 + cosine) / 2."""

    score: float
    row: int
    item: Item


@runtime_checkable
class Searcher(Protocol):
    """What finds nearest items: a gallery itself, or an index over it."""

    def search(
        self,
        queries: Float[Tensor, "q dim"],
        top: int,
        where: Bool[Tensor, " n"] | None = None,
    ) -> tuple[Float[Tensor, "q k"], Int64[Tensor, "q k"]]:
        """Cosines and rows of the ``top`` best items of each query, best first."""
        ...


@dataclass(frozen=True)
class Gallery:
    """Items and their latents of length 1, made by the weights that ``fingerprint`` stands for.

    ``memberships`` has one bit for each of ``split_names``. ``version`` is new with each content,
    so that an index made from another content is known to be stale. A gallery never changes:
    ``add`` and ``remove`` give new ones.
    """

    latents: Float32[Tensor, "n dim"]
    seconds: Float32[Tensor, " n"]
    memberships: Int64[Tensor, " n"]
    packed: UInt8[Tensor, " bytes"]
    offsets: Int64[Tensor, " ends"]
    split_names: tuple[str, ...]
    fingerprint: str
    version: str = field(default_factory=lambda: uuid.uuid4().hex)

    @staticmethod
    def of(
        items: Sequence[Item], latents: Float[Tensor, "n dim"], fingerprint: str = ""
    ) -> "Gallery":
        """A gallery of ``items`` with their latents, of any length, in the same order."""
        names = tuple(sorted({name for item in items for name in item.splits}))
        bits = {name: 1 << place for place, name in enumerate(names)}
        records = [orjson.dumps(item) for item in items]
        joined = bytearray(b"".join(records) or b" ")  # torch maps no empty buffer
        return Gallery(
            latents=F.normalize(latents.float().cpu(), dim=-1),
            seconds=torch.tensor([item.seconds for item in items], dtype=torch.float32),
            memberships=torch.tensor(
                [sum(bits[name] for name in item.splits) for item in items], dtype=torch.int64
            ),
            packed=torch.frombuffer(joined, dtype=torch.uint8),
            offsets=torch.tensor([0, *map(len, records)], dtype=torch.int64).cumsum(0),
            split_names=names,
            fingerprint=fingerprint,
        )

    @staticmethod
    def load(path: Path | str, fingerprint: str) -> "Gallery | None":
        """The gallery in a file, its latents memory-mapped; None where there is none to be used.

        A file that is damaged, or made by weights other than those of ``fingerprint``, is not
        used; the log says so.
        """
        path = Path(path)
        if not path.is_file():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in TENSORS}
                record = orjson.loads(file.metadata()["tmr"])
            gallery = Gallery(**tensors, **record | {"split_names": tuple(record["split_names"])})
        except (SafetensorError, OSError, LookupError, TypeError, ValueError) as error:
            log.warning("%s is damaged (%s) and will be made again", path, error)
            return None
        if gallery.fingerprint != fingerprint:
            log.info("%s was made with other weights and will be made again", path)
            return None
        return gallery

    def save(self, path: Path | str) -> None:
        """Write the gallery to one file, atomically."""
        record = {
            "split_names": self.split_names,
            "fingerprint": self.fingerprint,
            "version": self.version,
        }
        tensors = {name: getattr(self, name).contiguous() for name in TENSORS}
        save_tensors(path, tensors, {"tmr": orjson.dumps(record).decode()})

    def __len__(self) -> int:
        """Number of items."""
        return len(self.latents)

    def __getitem__(self, row: int) -> Item:
        """The item in a row."""
        begin, end = self.offsets[row : row + 2].tolist()
        record = orjson.loads(self.packed[begin:end].numpy().tobytes())
        for name in ("captions", "splits"):
            record[name] = tuple(record[name])
        return Item(**record)

    def __iter__(self) -> Iterator[Item]:
        """Every item, in the order of the rows."""
        return (self[row] for row in range(len(self)))

    @cached_property
    def rows(self) -> dict[str, int]:
        """The row of each key. Reads every item at the first use."""
        return {item.key: row for row, item in enumerate(self)}

    def add(self, items: Sequence[Item], latents: Float[Tensor, "more dim"]) -> "Gallery":
        """The gallery with more items at its end; those with the key of another replace it."""
        kept = self.remove({item.key for item in items})
        unit = F.normalize(latents.float().cpu(), dim=-1)
        return Gallery.of([*kept, *items], torch.cat([kept.latents, unit]), self.fingerprint)

    def remove(self, keys: Collection[str]) -> "Gallery":
        """The gallery without the items of ``keys``; keys that it has not are passed over."""
        gone = {self.rows[key] for key in keys if key in self.rows}
        if not gone:
            return self
        kept = [row for row in range(len(self)) if row not in gone]
        return Gallery.of([self[row] for row in kept], self.latents[kept], self.fingerprint)

    def where(
        self, split: str | None = None, min_seconds: float | int = 0, without: Iterable[str] = ()
    ) -> Bool[Tensor, " n"]:
        """Which items are in a split, last long enough, and are none of the keys ``without``.

        Raises:
            InputError: no item is in this split.
        """
        allowed = self.seconds >= min_seconds
        if split is not None:
            if split not in self.split_names:
                found = ", ".join(self.split_names) or "none"
                raise InputError(f"no motion of split {split!r} here; splits found: {found}")
            allowed &= (self.memberships & 1 << self.split_names.index(split)) != 0
        for key in without:
            if key in self.rows:
                allowed[self.rows[key]] = False
        return allowed

    def search(
        self,
        queries: Float[Tensor, "q dim"],
        top: int,
        where: Bool[Tensor, " n"] | None = None,
    ) -> tuple[Float[Tensor, "q k"], Int64[Tensor, "q k"]]:
        """Cosines and rows of the ``top`` best items of each query, best first, by comparing all.

        With ``where``, only those items count. Fewer come back where there are fewer.
        """
        top = min(top, len(self) if where is None else int(where.sum()))
        unit = F.normalize(queries.to(self.latents), dim=-1)
        best = []
        for some in unit.split(QUERIES_AT_ONCE):
            cosines = some @ self.latents.mT
            if where is not None:
                cosines.masked_fill_(~where, -torch.inf)
            best.append(cosines.topk(top, dim=-1))
        return torch.cat([b.values for b in best]), torch.cat([b.indices for b in best])

    def find(
        self,
        query: Float[Tensor, " dim"],
        top: int,
        where: Bool[Tensor, " n"] | None = None,
        index: Searcher | None = None,
    ) -> list[Hit]:
        """The ``top`` best items for one latent, best first; by ``index`` where one is given."""
        cosines, rows = (index or self).search(query[None], top, where)
        scores = shown_score(cosines[0]).tolist()
        return [
            Hit(score, row, self[row]) for score, row in zip(scores, rows[0].tolist(), strict=True)
        ]
