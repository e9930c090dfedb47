"""A config builds the objects that it describes, and a hostile one builds and calls nothing."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from tests.workspace import ROOT
from tmr.commands import cli
from tmr.errors import InputError
from tmr.model import SideAwareTMR
from tmr.runs import build
from tmr.runs.folder import RunDir


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    small = ("model=tmr_small", "language_model=minilm", "data=bandai")
    return cli.compose(ROOT / "configs", "train", *small)


def changed(config: dict[str, Any], place: str, value: Any) -> dict[str, Any]:
    """A copy with the value at a dotted place."""
    config = copy.deepcopy(config)
    *parents, last = place.split(".")
    node = config
    for key in parents:
        node = node.setdefault(key, {})
    node[last] = value
    return config


def test_the_configs_of_the_project_are_accepted_and_built() -> None:
    for model in ("temos_small", "tmr_small", "contrastive_small", "mirror_small"):
        config = cli.compose(ROOT / "configs", "train", f"model={model}", "language_model=minilm")
        build.check_config(config)
        assert build.model_of(config).name == model
    assert isinstance(build.model_of(config), SideAwareTMR)
    assert build.data_of(config).name == "humanml3d"
    assert build.text_model_of(config).token_dim == 384


CALLED = "tmr.runs.weights.torch.load"
HOSTILE = [
    ("data._target_", CALLED, "expected tmr.data.TextMotionData"),
    ("data._target_", "tmr.io.write_text", "expected tmr.data.TextMotionData"),
    ("data._target_", ["tmr.data.TextMotionData"], "expected tmr.data.TextMotionData"),
    ("data._target_", None, "expected tmr.data.TextMotionData"),
    ("language_model._target_", "os.system", "expected tmr.text.TextModel"),
    ("model._target_", "builtins.eval", "expected tmr.model.TEMOS or"),
    ("model._target_", "tmr.data.TextMotionData", "expected tmr.model.TEMOS or"),
    ("model.motion_encoder._target_", "tmr.model.TMR", "expected tmr.model.ActorEncoder"),
    ("model.motion_encoder", CALLED, "expected its options by name"),
    ("model.loss_weights.kl", {"_target_": CALLED, "f": "x"}, "no class belongs there"),
    ("extra", [{"deep": [{"_target_": CALLED, "weights_only": False}]}], "no class belongs there"),
    ("data.stats", {"_target_": "tmr.io.write_text"}, "no class belongs there"),
    ("data.annotations", "${oc.env:HOME}", "references are not followed"),
    ("model.temperature", "${oc.create:{a: 1}}", "references are not followed"),
    ("run_dir", "a ${now:%Y}", "references are not followed"),
    ("${oc.env:HOME}", 1, "references are not followed"),
    ("model.motion_encoder.num_layers", 1_000_000, "a whole number from 1 to 96"),
    ("model.motion_encoder.num_layers", True, "a whole number from 1 to 96"),
    ("model.text_encoder.latent_dim", 10**12, "a whole number from 1 to 8192"),
    ("model.motion_decoder.ff_size", -1, "a whole number from 1 to"),
    ("language_model.token_dim", "384", "a whole number from 1 to"),
    ("data.name", "../../x", "expected a name, without a path"),
    ("data.name", "/etc", "expected a name, without a path"),
    ("model.name", "a\0b", "expected a name, without a path"),
    ("language_model.name", "..", "expected a name, without a path"),
    ("language_model.name", ["x"], "expected a name, without a path"),
]


@pytest.mark.parametrize(("place", "value", "message"), HOSTILE)
def test_a_hostile_config_is_refused_when_it_is_read(
    config: dict[str, Any], tmp_path: Path, place: str, value: Any, message: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(changed(config, place, value)))
    with pytest.raises(InputError, match=message) as refusal:
        RunDir(tmp_path).read_config()
    assert str(refusal.value).startswith(str(tmp_path / "config.json"))
    assert len(str(refusal.value)) < 400


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (
            "model.motion_encoder.colour",
            3,
            "ActorEncoder has no option colour",
        ),
        ("data.colour", 3, "data: TextMotionData has no option colour"),
        ("model.options", 3, "TMR has no option options"),
        ("model.self", 3, "TMR"),
    ],
)
def test_options_that_a_class_lacks_are_named(
    config: dict[str, Any], place: str, value: Any, message: str
) -> None:
    part = place.partition(".")[0]
    with pytest.raises(InputError, match=message):
        build.build(part, changed(config, place, value)[part])


def test_a_missing_option_is_named(config: dict[str, Any]) -> None:
    broken = copy.deepcopy(config)
    del broken["model"]["motion_encoder"]["ff_size"]
    with pytest.raises(InputError, match="ActorEncoder needs ff_size"):
        build.model_of(broken)


def test_a_deeply_nested_config_is_one_line(config: dict[str, Any], tmp_path: Path) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    (tmp_path / "config.json").write_text(json.dumps(config)[:-1] + f', "x": {deep}}}')
    with pytest.raises(InputError, match=r"config\.json"):
        RunDir(tmp_path).read_config()
