"""Rows in memory and exact search: the default up to some 300,000 rows.

A saved store is one file in safetensors format. Latents stay mapped; takes are packed as JSON, one
after another.
"""

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import orjson
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Float32, Float64, Int64
from safetensors import safe_open
from torch import Tensor

from tmr.cache import checksum
from tmr.errors import InputError
from tmr.io import save_tensors
from tmr.search.entry import Entry, TakeInfo
from tmr.search.filters import LISTS, TEXTS, Filter
from tmr.search.stores import Found, Header

FILE = "rows.safetensors"
CHECKSUM = "crc32"  # of header and rows, beside the header
SCAN_CHUNK = 65_536
GATHERED = 8  # where fewer than a row in so many passes, copying those is faster than comparing all
_OF_TAKES = ("fps", "frames", "mirrored")
_TUPLES = ("captions", "tags", "splits")


@dataclass(frozen=True)
class Rows:
    """Rows that never change: each is a span of one of ``takes``."""

    takes: tuple[TakeInfo, ...]
    latents: Float32[Tensor, "n dim"]
    take: Int64[np.ndarray, " n"]
    spans: Float64[np.ndarray, "n 3"] = field(repr=False)  # start, end, window

    @staticmethod
    def of(entries: Sequence[Entry], latents: Float[Tensor, "n dim"]) -> "Rows":
        """The rows of entries."""
        takes = tuple(dict.fromkeys(entry.take for entry in entries))
        place = {take: number for number, take in enumerate(takes)}
        return Rows(
            takes,
            F.normalize(latents.float().cpu(), dim=-1),
            np.array([place[entry.take] for entry in entries], dtype=np.int64),
            np.array([(e.start, e.end, e.window) for e in entries], dtype=np.float64).reshape(
                -1, 3
            ),
        )

    def __len__(self) -> int:
        return len(self.take)

    def __getitem__(self, row: int) -> Entry:
        start, end, window = self.spans[row].tolist()
        return Entry(self.takes[self.take[row]], start, end, window)

    def numbers(self, field: str) -> np.ndarray:
        """The value of each row in a field of numbers or flags."""
        if field in _OF_TAKES:
            return self._of_takes[field][self.take]
        if field == "length":
            return (self.spans[:, 1] - self.spans[:, 0]).round(6)
        return self.spans[:, ("start", "end", "window").index(field)]

    def texts(self, field: str, test: Callable[[tuple[str, ...]], bool]) -> Bool[np.ndarray, " n"]:
        """Which rows pass a test of their values in a field of text."""
        if field in TEXTS:
            passed = [test((getattr(take, field),)) for take in self.takes]
        else:
            passed = [test(getattr(take, LISTS[field])) for take in self.takes]
        return np.array(passed, dtype=bool)[self.take]

    @cached_property
    def _of_takes(self) -> dict[str, Float64[np.ndarray, " takes"]]:
        return {
            field: np.array([getattr(take, field) for take in self.takes], dtype=np.float64)
            for field in _OF_TAKES
        }

    @cached_property
    def keys(self) -> frozenset[str]:
        """The keys of all takes."""
        return frozenset(take.key for take in self.takes)

    def without(self, keys: Collection[str]) -> "Rows":
        """The rows of all other takes."""
        gone = frozenset(keys) & self.keys
        if not gone:
            return self
        kept = np.array([take.key not in gone for take in self.takes], dtype=bool)
        rows = kept[self.take]
        return Rows(
            tuple(take for take in self.takes if take.key not in gone),
            self.latents[torch.from_numpy(rows)],
            (np.cumsum(kept) - 1)[self.take[rows]],
            self.spans[rows],
        )

    def concatenated(self, other: "Rows") -> "Rows":
        """These rows and then others, of other takes."""
        return Rows(
            self.takes + other.takes,
            torch.cat([self.latents, other.latents]),
            np.concatenate([self.take, other.take + len(self.takes)]),
            np.concatenate([self.spans, other.spans]),
        )


class MemoryStore:
    """Rows in memory, written whole to ``folder`` after each change where there is one."""

    def __init__(self, header: Header, folder: Path | None = None) -> None:
        self.header = header
        self.folder = folder
        self._rows = Rows.of([], torch.empty(0, header.dim))
        self._writing = threading.Lock()
        self.version = 0

    @staticmethod
    def open(folder: Path) -> "MemoryStore":
        """The store saved in a folder.

        Raises:
            InputError: a file that is damaged.
        """
        path = folder / FILE
        try:
            with safe_open(path, framework="pt") as file:
                record = orjson.loads(file.metadata()["library"])
                expected = record.pop(CHECKSUM, None)  # libraries of before have none
                header = Header.loads(orjson.dumps(record).decode(), path)
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                if expected not in (None, checksum(tensors, header.dumps().encode())):
                    raise ValueError("wrong checksum")
                records = orjson.loads(tensors["takes"].numpy().tobytes())
                for record in records:
                    record.update({name: tuple(record[name]) for name in _TUPLES})
                store = MemoryStore(header, folder)
                store._rows = Rows(
                    tuple(TakeInfo(**record) for record in records),
                    tensors["latents"],
                    tensors["take"].numpy(),
                    tensors["spans"].numpy(),
                )
        except InputError:
            raise
        except Exception as error:  # each kind of damage has its own
            raise InputError(
                f"{path} is damaged ({error}); delete {folder} and make the library again"
            ) from None
        return store

    def __len__(self) -> int:
        return len(self._rows)

    def count(self, where: Filter | None) -> int:
        """Number of rows that pass a filter."""
        rows = self._rows
        return len(rows) if where is None else int(where.mask(rows).sum())

    def replace(
        self, keys: Collection[str], entries: Sequence[Entry], latents: Float[Tensor, "n dim"]
    ) -> None:
        """Remove the rows of takes, and append others."""
        with self._writing:
            rows = self._rows.without(keys)
            if entries:
                rows = rows.concatenated(Rows.of(entries, latents))
            if self.folder is not None:
                self._save(rows, self.folder)
            self._rows = rows
            self.version += 1

    def search(
        self, query: Float[Tensor, " dim"], top: int, where: Filter | None = None
    ) -> list[Found]:
        """The best rows, by comparing all that pass."""
        rows = self._rows
        unit = F.normalize(query.to(rows.latents), dim=-1)
        chosen = torch.from_numpy(self._chosen(rows, where))
        if len(chosen) * GATHERED < len(rows):
            cosines = rows.latents[chosen] @ unit
        else:
            cosines = (rows.latents @ unit)[chosen]
        best = cosines.topk(min(top, len(chosen)))
        pairs = zip(best.values.tolist(), chosen[best.indices].tolist(), strict=True)
        return [(cosine, rows[row]) for cosine, row in pairs]

    def best(
        self, queries: Float[Tensor, "q dim"], where: Filter | None = None
    ) -> Float[Tensor, " q"]:
        """The cosine of each query, of length 1, and its best row; there must be one."""
        rows = self._rows
        parts = torch.from_numpy(self._chosen(rows, where)).split(SCAN_CHUNK)
        found = [(queries @ rows.latents[part].mT).amax(dim=-1) for part in parts]
        return torch.stack(found).amax(dim=0)

    def values(self, field: str) -> set[str]:
        """The different values of a field in ``filters.LISTS``."""
        column = LISTS[field]
        return {value for take in self._rows.takes for value in getattr(take, column)}

    def scan(
        self, where: Filter | None = None
    ) -> Iterator[tuple[list[Entry], Float[Tensor, "n dim"]]]:
        """All rows that pass a filter, in parts, with their latents."""
        rows = self._rows
        chosen = self._chosen(rows, where)
        for start in range(0, len(chosen), SCAN_CHUNK):
            part = chosen[start : start + SCAN_CHUNK]
            yield [rows[row] for row in part.tolist()], rows.latents[torch.from_numpy(part)]

    def entries(self, where: Filter | None = None) -> list[Entry]:
        """All rows that pass a filter."""
        rows = self._rows
        return [rows[row] for row in self._chosen(rows, where).tolist()]

    @staticmethod
    def _chosen(rows: Rows, where: Filter | None) -> Int64[np.ndarray, " chosen"]:
        return np.arange(len(rows)) if where is None else np.flatnonzero(where.mask(rows))

    def _save(self, rows: Rows, folder: Path) -> None:
        packed = np.frombuffer(orjson.dumps(rows.takes), dtype=np.uint8).copy()
        tensors = {
            "takes": torch.from_numpy(packed),
            "latents": rows.latents.contiguous(),
            "take": torch.from_numpy(rows.take),
            "spans": torch.from_numpy(rows.spans),
        }
        header = self.header.dumps()
        record = orjson.loads(header) | {CHECKSUM: checksum(tensors, header.encode())}
        save_tensors(folder / FILE, tensors, {"library": orjson.dumps(record).decode()})
