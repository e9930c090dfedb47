"""TMR that also learns from captions whose motions nobody has."""

from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor

from tmr.data import Batch
from tmr.errors import InputError
from tmr.model.distributed import ProcessGroup
from tmr.model.side_aware import SideAwareTMR


class TextContrastiveTMR(SideAwareTMR):
    """Side-aware TMR plus the term ``text_contrastive``: InfoNCE of two captions of one motion.

    The captions are the batch's ``pairs``; all that this term asks of them is that those of one
    motion lie closer than those of others. Temperature, hardness and what is no negative are those
    of ``contrastive``.
    """

    terms: ClassVar[tuple[str, ...]] = (*SideAwareTMR.terms, "text_contrastive")

    def __init__(self, *, name: str = "text_contrastive_tmr", **options: Any) -> None:
        super().__init__(name=name, **options)

    def pair_terms(self, batch: Batch, group: ProcessGroup) -> dict[str, Float[Tensor, ""]]:
        """The term of the batch's pairs of captions.

        Raises:
            InputError: the batch has none.
        """
        if batch.pairs is None:
            raise InputError(
                f"the model {self.name} learns from pairs of captions (text_contrastive); name the "
                "annotations that they are drawn from with text_pairs=FOLDER"
            )
        first, second, sentences, sides = group.all_gather(
            self.encode_text(batch.pairs.first).mu,
            self.encode_text(batch.pairs.second).mu,
            batch.pairs.sentences.float(),
            self.sides_of(batch.pairs).float(),
        )
        ignored = self.ignored(sentences, sides > 0)
        return {"text_contrastive": self.info_nce(first, second, ignored)}
