"""Run folders to a hub and back, by the real client over HTTP, without the network."""

import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import tmr
from tests.bodies import walk_features
from tests.runs.hub_server import TOKEN, Hub, serve
from tmr.errors import InputError

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=<...>':DeprecationWarning")

RNG = np.random.default_rng(0)
MOTIONS = [walk_features(length, length) for length in (40, 25)]

MODULES = ("motion_encoder", "text_encoder", "motion_decoder")


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch, serve(patch, str(cache)) as hub:
        yield hub


@pytest.fixture(scope="module")
def published(shared: Path, hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> "tmr.Model":
    """The golden run of the original, pushed to user/run."""
    folder = tmp_path_factory.mktemp("published") / "bandai_run"
    shutil.copytree(shared / "golden" / "bandai_run", folder)
    model = tmr.load(folder)
    with warnings.catch_warnings():
        # Of the client's own call to its HTTP library, when it puts a large file.
        warnings.filterwarnings("ignore", "Use 'content=<...>'", DeprecationWarning)
        assert model.push_to_hub("user/run").startswith("https://huggingface.co/user/run/commit/")
    return model


def test_what_is_pushed_loads_again_with_the_same_latents(published: "tmr.Model", hub: Hub) -> None:
    fetched = tmr.load("hf://user/run")
    assert fetched.config == published.config
    assert torch.equal(fetched.encode_motions(MOTIONS), published.encode_motions(MOTIONS))
    assert torch.equal(fetched.normalizer.mean, published.normalizer.mean)
    assert not list(fetched.run.root.rglob("*.pt"))[2:], "only the statistics, beside safetensors"


def test_a_published_folder_has_all_that_others_need(published: "tmr.Model", hub: Hub) -> None:
    files = hub.repos["user/run"][-1]
    weights = {f"last_weights/{m}{s}" for m in MODULES for s in (".pt", ".safetensors")}
    metrics = {f"contrastive_metrics/{n}.yaml" for n in ("guo", "normal", "threshold_0.95")}
    stats = {"stats/mean.pt", "stats/std.pt"}
    assert set(files) == weights | metrics | stats | {"config.json", "README.md"}
    assert files["config.json"] == published.run.config.read_bytes()
    assert 'tmr.load("hf://user/run")' in files["README.md"].decode()
    for name in sorted(weights):
        (copy := published.run.root.parent / Path(name).name).write_bytes(files[name])
        state = load_file(copy) if copy.suffix != ".pt" else torch.load(copy, weights_only=True)
        original = torch.load(published.run.weights() / f"{copy.stem}.pt", weights_only=True)
        assert state.keys() == original.keys()
        assert all(torch.equal(state[key], original[key]) for key in original)


def test_a_second_push_is_what_main_gives_and_revisions_stay(
    published: "tmr.Model", hub: Hub
) -> None:
    published.push_to_hub("user/twice")
    first = hub.sha("user/twice", "main")
    changed = tmr.load(published.run.root)
    for parameter in changed.network.motion_encoder.parameters():
        torch.nn.init.constant_(parameter, 0.1)
    changed.push_to_hub("user/twice")
    newest, before = tmr.load("hf://user/twice"), tmr.load(f"hf://user/twice@{first}")
    assert torch.equal(newest.encode_motions(MOTIONS), changed.encode_motions(MOTIONS))
    assert not torch.equal(newest.encode_motions(MOTIONS), before.encode_motions(MOTIONS))


def test_a_repository_with_pt_files_alone_is_fetched_too(published: "tmr.Model", hub: Hub) -> None:
    hub.repos["other/old"] = [
        {n: c for n, c in hub.repos["user/run"][-1].items() if not n.endswith(".safetensors")}
    ]
    fetched = tmr.load("hf://other/old")
    assert torch.equal(fetched.encode_motions(MOTIONS), published.encode_motions(MOTIONS))


def test_without_a_network_the_cache_is_used(
    published: "tmr.Model", monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = tmr.load("hf://user/run").encode_motions(MOTIONS)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    assert torch.equal(tmr.load("hf://user/run").encode_motions(MOTIONS), expected)


@pytest.mark.parametrize(
    "where", ["hf://user/nothing", "hf://user/run@nothing", "hf://not a name/at/all", "hf://"]
)
def test_what_is_not_on_the_hub_is_named(published: "tmr.Model", where: str) -> None:
    with pytest.raises(InputError, match=rf"cannot fetch {where.partition('@')[0]} \("):
        tmr.load(where)


def test_a_private_repository_needs_a_login(
    published: "tmr.Model", hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    published.push_to_hub("user/secret", private=True)
    assert tmr.load("hf://user/secret").config == published.config
    monkeypatch.setenv("HF_TOKEN", TOKEN + "x")
    with pytest.raises(InputError, match="hf auth login"):
        tmr.load("hf://user/secret@main2")
    with pytest.raises(InputError, match=r"cannot push to hf://user/more .*hf auth login"):
        published.push_to_hub("user/more")
