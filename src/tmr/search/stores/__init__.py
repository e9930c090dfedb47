"""Where the rows of a library are kept: in memory and exact, or in Lance for a million and more."""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from tmr.errors import InputError
from tmr.search.entry import Entry
from tmr.search.filters import Filter

FORMAT = 1  # of saved libraries; raised when an older version could not read them

Found = tuple[float, Entry]  # cosine and row


@dataclass(frozen=True, slots=True)
class Header:
    """What a library is, kept with its rows.

    ``model`` names the model that ``fingerprint`` stands for, ``source`` describes where the
    motions come from, ``windows`` are the lengths in seconds that takes are cut into beside the
    whole.
    """

    name: str
    model: str
    fingerprint: str
    dim: int
    source: dict[str, Any] = field(default_factory=dict)
    windows: tuple[float | int, ...] = ()
    format: int = FORMAT

    def dumps(self) -> str:
        """The header as JSON."""
        return json.dumps(asdict(self))

    @staticmethod
    def loads(text: str, path: Path | str) -> "Header":
        """The header in JSON that was read from ``path``.

        Raises:
            InputError: a header that is damaged or of a later format.
        """
        try:
            record = json.loads(text)
            found = record["format"]
            if found == FORMAT:
                return Header(**record | {"windows": tuple(record["windows"])})
        except (ValueError, LookupError, TypeError) as error:
            raise InputError(f"{path} is not a library, or is damaged: {error}") from None
        raise InputError(f"{path} has format {found}; this version reads {FORMAT}: update tmr")


@runtime_checkable
class Store(Protocol):
    """Rows and their latents of length 1. Safe to search while another thread adds."""

    header: Header

    @property
    def version(self) -> int:
        """Another number after each change."""
        ...

    def __len__(self) -> int:
        """Number of rows."""
        ...

    def count(self, where: Filter | None) -> int:
        """Number of rows that pass a filter."""
        ...

    def replace(
        self, keys: Collection[str], entries: Sequence[Entry], latents: Float[Tensor, "n dim"]
    ) -> None:
        """Remove the rows of takes, and append others with latents of any length."""
        ...

    def search(
        self, query: Float[Tensor, " dim"], top: int, where: Filter | None = None
    ) -> list[Found]:
        """The ``top`` best rows for one latent with their cosines, best first."""
        ...

    def best(
        self, queries: Float[Tensor, "q dim"], where: Filter | None = None
    ) -> Float[Tensor, " q"]:
        """The cosine of each query, of length 1, and its best row; there must be one."""
        ...

    def values(self, field: str) -> set[str]:
        """The different values of a field in ``filters.LISTS``."""
        ...

    def scan(
        self, where: Filter | None = None
    ) -> Iterator[tuple[list[Entry], Float[Tensor, "n dim"]]]:
        """All rows that pass a filter, in parts, with their latents."""
        ...

    def entries(self, where: Filter | None = None) -> list[Entry]:
        """All rows that pass a filter."""
        ...
