"""What a library needs of a model."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from torch import Tensor

from tmr.text import EmbeddingCache, TextModel


@runtime_checkable
class Encoder(Protocol):
    """A model that encodes texts and motions, such as :class:`tmr.api.Model`."""

    @property
    def name(self) -> str:
        """What people call the model."""
        ...

    @property
    def fingerprint(self) -> str:
        """Stands for all that latents depend on."""
        ...

    @property
    def dim(self) -> int:
        """Length of a latent."""
        ...

    @property
    def text_model(self) -> TextModel:
        """The frozen language models, by which prepared embeddings of captions are found."""
        ...

    def encode_texts(
        self, texts: Sequence[str], *, embeddings: EmbeddingCache | None = None
    ) -> Float[Tensor, "texts dim"]:
        """Latents of texts, in order."""
        ...

    def encode_motions(
        self, motions: Sequence[np.ndarray], *, check: bool = True
    ) -> Float[Tensor, "motions dim"]:
        """Latents of motions, features (T, 263) or joints (T + 1, 22, 3), in order.

        With ``check``, what does not look like what it is taken for is refused.
        """
        ...
