"""Published configs and weight names in this project's form, and back."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tmr.commands import cli
from tmr.errors import InputError
from tmr.runs.build import build
from tmr.runs.folder import RunDir
from tmr.runs.legacy_tmr import from_published, is_published, to_published, translate

RUNS = ["run", "bandai_run"]


@pytest.fixture(scope="module")
def published(shared: Path) -> dict[str, Any]:
    return json.loads((shared / "golden" / "bandai_run" / "config.json").read_text())


def test_a_published_config_becomes_what_our_command_line_composes(
    published: dict[str, Any], root: Path
) -> None:
    """The same choices, made on our command line, give the same data, text and model."""
    ours = translate(published)
    composed = cli.compose(
        root / "configs", "train", "data=bandai", "language_model=minilm", "model=tmr_small"
    )
    assert ours["data"].items() <= composed["data"].items()
    language_model = composed["language_model"]
    assert ours["language_model"].items() <= language_model.items()
    assert ours["model"] | {"name": "tmr_small"} == composed["model"]
    assert {k: ours[k] for k in ("seed", "lr", "batch_size")} == {
        k: composed[k] for k in ("seed", "lr", "batch_size")
    }
    assert ours["trainer"] == {"max_epochs": 30}


@pytest.mark.parametrize("name", RUNS)
def test_every_class_of_a_translated_config_exists(shared: Path, name: str) -> None:
    config = RunDir(shared / "golden" / name).read_config()
    assert not is_published(config)
    for part in ("data", "language_model", "model"):
        assert build(part, config[part]) is not None


def test_the_text_model_is_named_after_its_language_models(published: dict[str, Any]) -> None:
    assert translate(published)["language_model"]["name"] == "minilm"
    paper = copy.deepcopy(published)
    paper["data"]["text_to_token_emb"]["modelname"] = "distilbert-base-uncased"
    other = copy.deepcopy(paper)
    assert translate(other)["language_model"]["name"] == "distilbert-base-uncased_all-MiniLM-L6-v2"
    mpnet = "sentence-transformers/all-mpnet-base-v2"
    paper["data"]["text_to_sent_emb"]["modelname"] = mpnet
    assert translate(paper)["language_model"]["name"] == "distilbert_mpnet"
    assert translate(paper)["language_model"]["sentence_model"] == mpnet


@pytest.mark.parametrize(
    ("part", "key", "value", "message"),
    [
        ("model", "vae", False, "vae=False; only True"),
        ("model", "_target_", "src.model.Other", "'src.model.Other'; known are src.model.TMR"),
        ("data", "path", None, "without the key 'path'"),
    ],
)
def test_what_cannot_be_translated_is_named(
    published: dict[str, Any], part: str, key: str, value: object, message: str
) -> None:
    changed = copy.deepcopy(published)
    changed[part][key] = value
    if value is None:
        del changed[part][key]
    with pytest.raises(InputError, match=message):
        translate(changed)


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("module", ["motion_encoder", "text_encoder", "motion_decoder"])
def test_weight_names_go_both_ways(shared: Path, name: str, module: str) -> None:
    file = shared / "golden" / name / "last_weights" / f"{module}.pt"
    state = torch.load(file, weights_only=True)
    ours = from_published(module, state)
    assert not any("seqTrans" in key for key in ours)
    assert list(to_published(module, ours)) == list(state)
    assert list(from_published(module, ours)) == list(ours), "our own names stay"
