"""Training with Lightning."""

from tmr.training.fit import fit

__all__ = ["fit"]
