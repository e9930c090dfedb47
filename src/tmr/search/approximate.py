"""Approximate search with FAISS (optional: ``pip install faiss-cpu``), for very large galleries."""

import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from tmr.errors import InputError
from tmr.io import atomic_path
from tmr.search.gallery import Gallery

log = logging.getLogger(__name__)

TRAINING_ITEMS = 64  # for each list; FAISS finds fewer than 39 too few
PROBES = 32  # lists looked at for a query
CANDIDATES = 10  # codes that a search takes out of the lists for each wanted item
SMALLEST_SHARE = 0.1  # of the items: where a filter lets fewer pass, all of them are compared


@dataclass(frozen=True)
class FaissIndex:
    """Finds nearest items of a gallery by looking at few of them.

    The items lie in lists around cluster centers, as codes of one byte a number: a quarter of the
    latents' size. A query looks at the nearest lists, and what is best there by its code is
    compared exactly. Source: Johnson, Douze and Jegou, "Billion-scale similarity search with
    GPUs", 2019.
    """

    gallery: Gallery
    index: Any  # faiss.IndexIVFScalarQuantizer

    @staticmethod
    def of(gallery: Gallery, path: Path | str) -> "FaissIndex":
        """The saved index of this very gallery, else a new one, which is saved.

        The version of the gallery is added to the name in ``path``; indexes of other versions
        there are deleted.

        Raises:
            InputError: FAISS is not installed.
        """
        faiss = _faiss()
        path = Path(path)
        current = path.with_name(f"{path.stem}-{gallery.version}{path.suffix}")
        if current.is_file():
            return FaissIndex(gallery, faiss.read_index(str(current)))
        log.info("building an index of %d items", len(gallery))
        index = _build(faiss, gallery.latents.numpy())
        with atomic_path(current) as temporary:
            faiss.write_index(index, str(temporary))
        for other in path.parent.glob(f"{path.stem}-*{path.suffix}"):
            if other != current:
                other.unlink()
        return FaissIndex(gallery, index)

    def search(
        self,
        queries: Float[Tensor, "q dim"],
        top: int,
        where: Bool[Tensor, " n"] | None = None,
    ) -> tuple[Float[Tensor, "q k"], Int64[Tensor, "q k"]]:
        """Cosines and rows of the ``top`` best items of each query, best first: as the gallery's.

        Where the lists hold fewer, or ``where`` lets few pass, all items are compared.
        """
        faiss = _faiss()
        unit = F.normalize(queries.to(self.gallery.latents), dim=-1)
        options = {"nprobe": min(PROBES, self.index.nlist)}
        if where is not None:
            if where.float().mean() < SMALLEST_SHARE:
                return self.gallery.search(queries, top, where)
            bits = np.packbits(where.numpy(), bitorder="little")
            options["sel"] = faiss.IDSelectorBitmap(bits)
        _, found = self.index.search(
            unit.numpy(), top * CANDIDATES, params=faiss.SearchParametersIVF(**options)
        )
        rows = torch.from_numpy(found)
        if (rows[:, :top] < 0).any():
            return self.gallery.search(queries, top, where)
        cosines = torch.einsum("qcd,qd->qc", self.gallery.latents[rows.clamp(min=0)], unit)
        best = cosines.masked_fill_(rows < 0, -torch.inf).topk(top, dim=-1)
        return best.values, rows.gather(1, best.indices)


def _build(faiss: Any, latents: Float[np.ndarray, "n dim"]) -> Any:
    """An index of vectors of length 1: about 2 sqrt(n) lists."""
    count, dim = latents.shape
    lists = max(1, min(round(2 * math.sqrt(count)), count // TRAINING_ITEMS))
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(dim), dim, lists,
        faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT,
    )  # fmt: skip
    chosen = np.random.default_rng(0).permutation(count)[: lists * TRAINING_ITEMS]
    index.train(latents[np.sort(chosen)])
    index.add(latents)
    return index


def _faiss() -> Any:
    logging.getLogger("faiss.loader").setLevel(logging.WARNING)  # it tells which CPU it found
    try:
        import faiss  # noqa: PLC0415  optional
    except ImportError:
        raise InputError("index=faiss needs FAISS: run `pip install faiss-cpu`") from None
    return faiss
