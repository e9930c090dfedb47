"""Rows in Lance, on a disk or on object storage: for a million and more, and for several writers.

Every change is a commit of a new version, so that a killed writer leaves nothing half done. Below
``EXACT_BELOW`` matching rows, all of them are compared; above, an IVF_RQ index is searched:
inverted lists of quantized residuals (RaBitQ: Gao and Long, SIGMOD 2024), whose best candidates
are compared exactly. A filter that lets few rows pass goes to the exact search too, because
filters are correlated with latents: an index alone then misses more than half of what is there.

Not safe after a fork.
"""

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import lance
import numpy as np
import pyarrow as pa
import torch
import torch.nn.functional as F
from jaxtyping import Float
from lance.fragment import write_fragments
from torch import Tensor

from tmr.errors import InputError
from tmr.search.entry import Entry, TakeInfo
from tmr.search.filters import LISTS, WHOLE_TAKES, Filter
from tmr.search.filters import keys as rows_of_keys
from tmr.search.stores import Found, Header, memory
from tmr.search.stores.factory import LANCE_FOLDER

EXACT_BELOW = 50_000
ROWS_PER_LIST = 1024
PROBES = 48
CANDIDATES = 10  # compared exactly for each row that is wanted
KEYS_CHUNK = 1000
SCAN_CHUNK = 16_384
MAX_FRAGMENTS = 64  # more are compacted: hundreds of small ones double the time of a query
SCALAR_INDEXES = {
    "key": "BTREE",
    "file": "BTREE",
    "length": "BTREE",
    "window": "BITMAP",
    "mirrored": "BITMAP",
    "tags": "LABEL_LIST",
    "splits": "LABEL_LIST",
}
_TAKE_COLUMNS = (
    "key", "file", "fps", "frames", "captions", "tags", "splits", "mirrored", "stamp"
)  # fmt: skip
_COLUMNS = [*_TAKE_COLUMNS, "start", "end", "window"]
_INDEX = "latent_idx"


def schema_of(header: Header) -> pa.Schema:
    """The columns of a library's rows, with the header as metadata."""
    texts = pa.list_(pa.string())
    return pa.schema(
        {
            "key": pa.string(),
            "file": pa.string(),
            "fps": pa.float64(),
            "frames": pa.float64(),  # as all numbers of filters
            "captions": texts,
            "tags": texts,
            "splits": texts,
            "mirrored": pa.bool_(),
            "stamp": pa.string(),
            "start": pa.float64(),
            "end": pa.float64(),
            "window": pa.float64(),
            "length": pa.float64(),
            "latent": pa.list_(pa.float32(), header.dim),
        },
        metadata={"library": header.dumps()},
    )


def table_of(header: Header, entries: Sequence[Entry], latents: Float[Tensor, "n dim"]) -> pa.Table:
    """Rows as an Arrow table."""
    unit = F.normalize(latents.float().cpu(), dim=-1).numpy()
    columns: dict[str, Any] = {
        name: [getattr(entry.take, name) for entry in entries] for name in _TAKE_COLUMNS
    }
    for name in ("start", "end", "window"):
        columns[name] = [getattr(entry, name) for entry in entries]
    columns["length"] = [entry.seconds for entry in entries]
    columns["latent"] = pa.FixedSizeListArray.from_arrays(pa.array(unit.ravel()), header.dim)
    return pa.table(columns, schema=schema_of(header))


class LanceStore:
    """Rows below ``path``, a folder or an address such as ``s3://bucket/folder``.

    Each call sees the last version that any process has committed.
    """

    def __init__(self, path: Path | str, dataset: Any) -> None:
        self.uri = uri_of(path)
        self.header = Header.loads(dataset.schema.metadata[b"library"].decode(), path)
        self._dataset = dataset
        self._writing = threading.Lock()

    @staticmethod
    def open(path: Path | str) -> "LanceStore | None":
        """The store at a path, None where there is none.

        Raises:
            InputError: it cannot be read.
        """
        try:
            dataset = lance.dataset(uri_of(path))
        except ValueError as error:
            if "not found" in str(error).lower():
                return None
            raise _unreadable(path, error) from None
        except OSError as error:
            raise InputError(f"{path} cannot be reached: {_first_line(error)}") from None
        with _readable(path):
            return LanceStore(path, dataset)

    @staticmethod
    def create(header: Header, path: Path | str, replace: bool = False) -> "LanceStore":
        """An empty store; with ``replace`` in place of what was at the path.

        Without, one that another process has just made there is opened.

        Raises:
            InputError: nothing can be written there.
        """
        if "://" not in str(path):
            (Path(path) / memory.FILE).unlink(missing_ok=True)
            Path(path).mkdir(parents=True, exist_ok=True)
        empty = table_of(header, [], torch.empty(0, header.dim))
        mode = "overwrite" if replace else "create"
        try:
            dataset = lance.write_dataset(empty, uri_of(path), mode=mode)
        except OSError as error:
            made = None if replace else LanceStore.open(path)
            if made is None:
                raise InputError(f"cannot write to {path}: {_first_line(error)}") from None
            return made
        return LanceStore(path, dataset)

    def __len__(self) -> int:
        return self.count(None)

    @property
    def version(self) -> int:
        """Lance's own."""
        with _readable(self.uri):
            return self.latest().version

    def latest(self) -> Any:
        """The dataset at its last version."""
        self._dataset.checkout_latest()
        return self._dataset

    def count(self, where: Filter | None) -> int:
        """Number of rows that pass a filter."""
        with _readable(self.uri):
            return self.latest().count_rows(filter=where and where.sql())

    def replace(
        self, keys: Collection[str], entries: Sequence[Entry], latents: Float[Tensor, "n dim"]
    ) -> None:
        """Remove the rows of takes, and append others: two commits."""
        with self._writing:
            dataset = self.latest()
            ordered = sorted(keys) if len(self) else []
            for start in range(0, len(ordered), KEYS_CHUNK):
                where = rows_of_keys(ordered[start : start + KEYS_CHUNK]).sql()
                if dataset.count_rows(filter=where):
                    dataset.delete(where)
            if entries:
                table = table_of(self.header, entries, latents)
                lance.write_dataset(table, self.uri, mode="append")
            self._compact()

    def commit(self, fragments: Sequence[Any]) -> None:
        """Append fragments of :func:`write_rows`: all of them, or none when this fails."""
        if fragments:
            append = lance.LanceOperation.Append(list(fragments))
            lance.LanceDataset.commit(self.uri, append, read_version=self.latest().version)

    def drop_copies(self) -> int:
        """Delete what several processes wrote of the same takes, but for the last; how many takes.

        Whoever commits last, and then calls this, leaves every row there once.
        """
        with self._writing:
            keys = self.latest().to_table(columns=["key"], filter=WHOLE_TAKES.sql()).column("key")
            counted = keys.value_counts()
            several = counted.field("counts").to_numpy() > 1
            twice = counted.field("values").filter(pa.array(several))
            for start in range(0, len(twice), KEYS_CHUNK):
                self._drop_copies(twice[start : start + KEYS_CHUNK].to_pylist())
            return len(twice)

    def _drop_copies(self, keys: Sequence[str]) -> None:
        rows = self.latest().to_table(
            columns=["key", "stamp", "start", "end", "window"],
            filter=rows_of_keys(keys).sql(),
            with_row_id=True,
        )
        rows = rows.sort_by("_rowid").to_pylist()
        stamps = {row["key"]: row["stamp"] for row in rows}
        kept = {
            (row["key"], row["start"], row["end"], row["window"]): row["_rowid"]
            for row in rows
            if row["stamp"] == stamps[row["key"]]
        }
        gone = {row["_rowid"] for row in rows} - {*kept.values()}
        if gone:
            self._dataset.delete(f"_rowid IN ({', '.join(map(str, sorted(gone)))})")

    def search(
        self, query: Float[Tensor, " dim"], top: int, where: Filter | None = None
    ) -> list[Found]:
        """The best rows: exactly among few, by the index among many."""
        matching = self.count(where)
        if not matching:
            return []
        nearest: dict[str, Any] = {
            "column": "latent",
            "q": F.normalize(query.float().cpu(), dim=-1).numpy(),
            "k": min(top, matching),
            "metric": "cosine",  # without it, a query falls back to another metric in silence
        }
        if matching < EXACT_BELOW:
            nearest["use_index"] = False
        else:
            nearest |= {"nprobes": PROBES, "refine_factor": CANDIDATES}
        with _readable(self.uri):
            table = self._dataset.to_table(
                columns=[*_COLUMNS, "_distance"],
                nearest=nearest,
                filter=where and where.sql(),
                prefilter=True,
            )
            cosines = (1 - table.column("_distance").to_numpy()).tolist()
            return list(zip(cosines, _entries(table), strict=True))

    def best(
        self, queries: Float[Tensor, "q dim"], where: Filter | None = None
    ) -> Float[Tensor, " q"]:
        """The cosine of each query, of length 1, and its best row; there must be one."""
        return torch.tensor([self.search(query, 1, where)[0][0] for query in queries])

    def values(self, field: str) -> set[str]:
        """The different values of a field in ``filters.LISTS``."""
        table = self.latest().to_table(columns=[LISTS[field]], filter=WHOLE_TAKES.sql())
        return set(table.column(0).combine_chunks().flatten().unique().to_pylist())

    def scan(
        self, where: Filter | None = None
    ) -> Iterator[tuple[list[Entry], Float[Tensor, "n dim"]]]:
        """All rows that pass a filter, in parts, with their latents."""
        with _readable(self.uri):
            batches = self.latest().to_batches(
                columns=[*_COLUMNS, "latent"], filter=where and where.sql(), batch_size=SCAN_CHUNK
            )
            for batch in batches:
                flat = batch.column("latent").flatten().to_numpy(zero_copy_only=False)
                latents = torch.from_numpy(np.array(flat, dtype=np.float32))
                yield _entries(batch), latents.reshape(-1, self.header.dim)

    def entries(self, where: Filter | None = None) -> list[Entry]:
        """All rows that pass a filter."""
        with _readable(self.uri):
            table = self.latest().to_table(columns=_COLUMNS, filter=where and where.sql())
            return _entries(table)

    def index(self) -> None:
        """Index the columns of filters, and the latents where there are enough rows.

        Rows that are added later are compared exactly until the next call, which adds them to the
        index.
        """
        with self._writing:
            self._compact()
            dataset = self.latest()
            present = {i.name: i.num_rows_indexed for i in dataset.describe_indices()}
            for column, scalar in SCALAR_INDEXES.items():
                if f"{column}_idx" not in present:
                    dataset.create_scalar_index(column, scalar)
            rows = dataset.count_rows()
            if _INDEX not in present and rows >= EXACT_BELOW:
                lists = max(1, rows // ROWS_PER_LIST)
                # On object storage, scalar quantization needs a tenth of the requests.
                kind = "IVF_SQ" if "://" in self.uri else "IVF_RQ"
                dataset.create_index("latent", kind, metric="cosine", num_partitions=lists)
            behind = [name for name, indexed in present.items() if indexed != rows]
            if behind:  # all others would be written anew, which takes as long as making them
                dataset.optimize.optimize_indices(index_names=behind)
            dataset.cleanup_old_versions(older_than=timedelta(hours=1))

    def _compact(self) -> None:
        """Compact many small fragments to few large ones."""
        dataset = self.latest()
        if len(dataset.get_fragments()) > MAX_FRAGMENTS:
            dataset.optimize.compact_files()
            dataset.cleanup_old_versions(older_than=timedelta(hours=1))


def write_rows(
    uri: str, header: Header, entries: Sequence[Entry], latents: Float[Tensor, "n dim"]
) -> list[Any]:
    """Write rows as fragments that no reader sees until they are committed."""
    return write_fragments(table_of(header, entries, latents), uri, schema=schema_of(header))


def uri_of(path: Path | str) -> str:
    """Where the rows of the library at a path lie."""
    return f"{str(path).rstrip('/')}/{LANCE_FOLDER}"


def _entries(table: pa.Table | pa.RecordBatch) -> list[Entry]:
    takes: dict[TakeInfo, TakeInfo] = {}  # windows share their take
    entries = []
    for row in table.to_pylist():
        values: dict[str, Any] = {name: row[name] for name in _TAKE_COLUMNS}
        values |= {name: tuple(row[name]) for name in ("captions", "tags", "splits")}
        values["frames"] = int(row["frames"])
        take = TakeInfo(**values)
        take = takes.setdefault(take, take)
        entries.append(Entry(take, row["start"], row["end"], row["window"]))
    return entries


@contextmanager
def _readable(path: Path | str) -> Iterator[None]:
    """What Lance raises within is one InputError. Damage makes it raise nearly anything."""
    try:
        yield
    except (InputError, GeneratorExit, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # panics of Rust are no Exception
        raise _unreadable(path, error) from error


def _unreadable(path: Path | str, error: BaseException) -> InputError:
    return InputError(
        f"the library at {path} cannot be read: {_first_line(error)}; if it is damaged, delete it "
        "and make it again"
    )


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0][:200]
