"""Text-to-motion retrieval: TMR and TEMOS, their data, their metrics and their search."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tmr.errors import InputError

if TYPE_CHECKING:
    from tmr.api import Model, animate, evaluate_generation, load
    from tmr.generation.evaluator import Evaluation, Evaluator
    from tmr.search.library import Library

__version__ = "0.2.0"

__all__ = [
    "Evaluation",
    "Evaluator",
    "InputError",
    "Library",
    "Model",
    "animate",
    "evaluate_generation",
    "load",
]

_MODULES = {
    "Evaluation": "tmr.generation.evaluator",
    "Evaluator": "tmr.generation.evaluator",
    "Library": "tmr.search.library",
}


def __getattr__(name: str) -> Any:
    """The Python API at first use: ``import tmr`` alone loads neither torch nor models."""
    if name in __all__:
        return getattr(import_module(_MODULES.get(name, "tmr.api")), name)
    raise AttributeError(f"module 'tmr' has no attribute {name!r}")
