"""Captions as vectors: frozen language models, and their output cached on disk."""

from tmr.text.embedding_cache import EmbeddingCache, embeddings_folder
from tmr.text.language_model import TextEmbedding, TextModel

__all__ = ["EmbeddingCache", "TextEmbedding", "TextModel", "embeddings_folder"]
