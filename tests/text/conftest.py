"""Language models to test with: the real MiniLM, and tiny random ones in the paper's two shapes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tmr.text import TextModel
from tmr.text.language_model import quiet_libraries

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
SENTENCE = "a person walk ##s jump kick wave left right hand foot and then turn forward slow ##ly"
WORDS = SENTENCE.split()
TINY_DIM = 24


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The last bits of a matrix product depend on the number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def minilm() -> TextModel:
    return TextModel("minilm", MINILM, MINILM, token_dim=384)


@pytest.fixture(scope="session")
def tiny_distilbert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DistilBERT folder as the hub has it: a masked-language-model checkpoint."""
    from transformers import DistilBertConfig, DistilBertForMaskedLM, DistilBertTokenizer

    folder = tmp_path_factory.mktemp("distilbert")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    config = DistilBertConfig(
        vocab_size=len(vocabulary), dim=TINY_DIM, n_layers=2, n_heads=2, hidden_dim=48
    )
    torch.manual_seed(1)
    with quiet_libraries():
        DistilBertForMaskedLM(config).save_pretrained(folder)
        DistilBertTokenizer(vocab=_numbered(vocabulary)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_mpnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MPNet folder; its first two positions are reserved, so it reads 32 - 2 = 30 tokens."""
    from transformers import MPNetConfig, MPNetModel, MPNetTokenizer

    folder = tmp_path_factory.mktemp("mpnet")
    vocabulary = ["<s>", "<pad>", "</s>", "[UNK]", "<mask>", *WORDS]
    config = MPNetConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
    )
    torch.manual_seed(2)
    with quiet_libraries():
        MPNetModel(config).save_pretrained(folder)
        MPNetTokenizer(vocab=_numbered(vocabulary)).save_pretrained(folder)
    return folder


@pytest.fixture
def tiny(tiny_distilbert: Path, tiny_mpnet: Path) -> TextModel:
    return TextModel("tiny", str(tiny_distilbert), str(tiny_mpnet), token_dim=TINY_DIM)


def _numbered(vocabulary: list[str]) -> dict[str, int]:
    return {word: i for i, word in enumerate(vocabulary)}
