"""TMR and TEMOS as plain torch modules; they know nothing of Lightning, Hydra or files."""

from tmr.model.actor import ActorDecoder, ActorEncoder
from tmr.model.gaussian import Gaussian
from tmr.model.ranks import ALONE, Ranks, Spread
from tmr.model.temos import TEMOS, Step
from tmr.model.tmr import TMR

__all__ = [
    "ALONE",
    "TEMOS",
    "TMR",
    "ActorDecoder",
    "ActorEncoder",
    "Gaussian",
    "Ranks",
    "Spread",
    "Step",
]
