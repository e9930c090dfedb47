"""TMR and TEMOS as plain torch modules; they know nothing of Lightning, Hydra or files."""

from tmr.model.actor import ActorDecoder, ActorEncoder, Encoder, EncoderEnsemble, MirrorEncoder
from tmr.model.distributed import SINGLE_PROCESS, DistributedProcessGroup, ProcessGroup
from tmr.model.gaussian import Gaussian
from tmr.model.side_aware import SideAwareTMR
from tmr.model.temos import TEMOS, LatentBatch, Step
from tmr.model.text_contrastive import TextContrastiveTMR
from tmr.model.tmr import TMR, temperature_of

__all__ = [
    "SINGLE_PROCESS",
    "TEMOS",
    "TMR",
    "ActorDecoder",
    "ActorEncoder",
    "DistributedProcessGroup",
    "Encoder",
    "EncoderEnsemble",
    "Gaussian",
    "LatentBatch",
    "MirrorEncoder",
    "ProcessGroup",
    "SideAwareTMR",
    "Step",
    "TextContrastiveTMR",
    "temperature_of",
]
