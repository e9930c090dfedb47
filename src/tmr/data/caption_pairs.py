"""Pairs of captions that tell of one motion, which itself need not be at hand."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tmr.data.annotations import read_annotations, read_split
from tmr.errors import InputError
from tmr.sequences import Packed, pack
from tmr.text import EmbeddingCache
from tmr.text.left_right import side_bits


def sides_of(captions: Sequence[str], device: torch.device) -> Bool[Tensor, "batch sides"]:
    """``tmr.text.left_right.side_bits`` of each caption, on ``device``."""
    bits = torch.tensor([side_bits(caption) for caption in captions])
    return bits.to(device, non_blocking=True)


@dataclass(frozen=True, slots=True)
class CaptionPairs:
    """Token states of two captions each of some motions; ``sentences`` are of the first ones."""

    captions: tuple[tuple[str, str], ...]
    first: Packed
    second: Packed
    sentences: Float[Tensor, "pairs sdim"]

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.captions)

    @property
    def sides(self) -> Bool[Tensor, "pairs sides"]:
        """``tmr.text.left_right.side_bits`` of the first captions."""
        return sides_of([first for first, _ in self.captions], self.sentences.device)

    def to(self, device: torch.device | str) -> "CaptionPairs":
        """The same pairs on ``device``."""
        return replace(
            self,
            first=self.first.to(device),
            second=self.second.to(device),
            sentences=self.sentences.to(device),
        )


class CaptionPool:
    """The captions of the motions of a split, of which pairs are drawn."""

    def __init__(self, captions: Sequence[Sequence[str]], embeddings: EmbeddingCache) -> None:
        distinct = (tuple(dict.fromkeys(some)) for some in captions)
        self.captions = [some for some in distinct if len(some) > 1]
        self.embeddings = embeddings
        embeddings.prefetch([caption for some in self.captions for caption in some])

    @classmethod
    def of_split(cls, annotations: Path, split: str, embeddings: EmbeddingCache) -> "CaptionPool":
        """The pool of a data set's split; no motion files are looked for.

        Raises:
            InputError: no annotations, no such split, or none of its motions has two captions.
        """
        entries = read_annotations(annotations)
        known = [entries[key] for key in read_split(annotations, split) if key in entries]
        pool = cls([[caption.text for caption in entry.captions] for entry in known], embeddings)
        if not pool.captions:
            raise InputError(
                f"{annotations}: none of the {len(known)} motions of the split {split!r} has two "
                "captions that differ, which text_contrastive needs; give other annotations with "
                "text_pairs=FOLDER"
            )
        return pool

    def __len__(self) -> int:
        """Number of motions with at least two different captions."""
        return len(self.captions)

    def draw(self, count: int, seed: int) -> list[tuple[str, str]]:
        """Two captions of each of ``count`` motions, the same ones for the same seed.

        Motions differ from each other where there are enough.
        """
        random = np.random.default_rng(seed)
        motions = random.choice(len(self), count, replace=count > len(self))
        drawn = []
        for motion in motions.tolist():
            some = self.captions[motion]
            first, second = random.choice(len(some), 2, replace=False).tolist()
            drawn.append((some[first], some[second]))
        return drawn

    def pairs(self, captions: Sequence[tuple[str, str]]) -> CaptionPairs:
        """Some drawn captions with what a model takes."""
        firsts, seconds = zip(*captions, strict=True)
        return CaptionPairs(
            tuple(captions),
            self._packed(firsts),
            self._packed(seconds),
            torch.from_numpy(self.embeddings.sentences(firsts)),
        )

    def _packed(self, captions: Sequence[str]) -> Packed:
        states = self.embeddings.token_states(captions)
        return pack([torch.from_numpy(np.asarray(tokens)) for tokens in states])
