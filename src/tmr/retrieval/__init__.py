"""Retrieval: metrics, protocols and their report."""

from tmr.retrieval.encoding import encode_dataset
from tmr.retrieval.metrics import both_ways, cosine_similarity, shown_score
from tmr.retrieval.protocols import PROTOCOLS, Encoded, Protocol, evaluate, evaluate_all

__all__ = [
    "PROTOCOLS",
    "Encoded",
    "Protocol",
    "both_ways",
    "cosine_similarity",
    "encode_dataset",
    "evaluate",
    "evaluate_all",
    "shown_score",
]
