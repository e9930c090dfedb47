"""Retrieval: metrics, protocols and their report."""

from tmr.retrieval.encode import encode_dataset, encode_sequences
from tmr.retrieval.metrics import both_directions, cosine_similarity, shown_score
from tmr.retrieval.protocols import (
    PROTOCOLS,
    Encoded,
    Outcome,
    Protocol,
    Texts,
    evaluate,
    evaluate_all,
)

__all__ = [
    "PROTOCOLS",
    "Encoded",
    "Outcome",
    "Protocol",
    "Texts",
    "both_directions",
    "cosine_similarity",
    "encode_dataset",
    "encode_sequences",
    "evaluate",
    "evaluate_all",
    "shown_score",
]
