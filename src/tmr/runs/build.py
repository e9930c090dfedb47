"""Objects from a config: data set, cached text embeddings, model."""

from collections.abc import Mapping
from typing import Any

from hydra.utils import instantiate

from tmr.data import TextMotionData
from tmr.model import TEMOS
from tmr.text import EmbeddingCache, TextModel, embeddings_folder

Config = Mapping[str, Any]


def data_of(config: Config) -> TextMotionData:
    """The data set that a config names."""
    return instantiate(config["data"], _convert_="all")


def text_model_of(config: Config, device: str = "cpu") -> TextModel:
    """The frozen language models that a config names, loaded at first use."""
    return instantiate(config["language_model"], _convert_="all", device=device)


def embeddings_of(config: Config, data: TextMotionData, device: str = "cpu") -> EmbeddingCache:
    """Cached text embeddings of a data set by the config's text model."""
    text = text_model_of(config, device)
    return EmbeddingCache(embeddings_folder(data.annotations, text.name), text)


def model_of(config: Config) -> TEMOS:
    """The model of a config, with fresh weights."""
    return instantiate(config["model"], _convert_="all")
