"""Training with Lightning."""

from tmr.training.fit import fit, process_rank

__all__ = ["fit", "process_rank"]
