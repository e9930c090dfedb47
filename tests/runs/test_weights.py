"""Weights from checkpoints to files to models, with real files, whole and damaged."""

import json
import shlex
import shutil
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file
from torch import Tensor

from tests.processes import completed
from tmr.errors import InputError
from tmr.model import TEMOS
from tmr.runs.build import model_of
from tmr.runs.folder import RunDir
from tmr.runs.legacy_tmr import translate
from tmr.runs.weights import extract, load_model, save_weights
from tmr.sequences import pack

MODULES = ("motion_encoder", "text_encoder", "motion_decoder")


@pytest.fixture
def run(shared: Path, tmp_path: Path) -> RunDir:
    """A copy of the golden run folder."""
    shutil.copytree(shared / "golden" / "run", tmp_path / "run")
    return RunDir(tmp_path / "run")


@pytest.fixture(scope="module")
def published(shared: Path) -> dict[str, dict[str, Tensor]]:
    folder = shared / "golden" / "run" / "last_weights"
    return {name: torch.load(folder / f"{name}.pt", weights_only=True) for name in MODULES}


def save_checkpoint(run: RunDir, state: dict[str, Tensor], **more: object) -> None:
    """A run folder with a checkpoint and no weights."""
    shutil.rmtree(run.weights(), ignore_errors=True)
    run.checkpoints.mkdir(parents=True, exist_ok=True)
    content = {"epoch": 3, "state_dict": state, "optimizer_states": [{"state": {}}], **more}
    torch.save(content, run.checkpoints / "last.ckpt")


def prefixed(model: TEMOS) -> dict[str, Tensor]:
    return {f"model.{name}": tensor for name, tensor in model.state_dict().items()}


def original(published: dict[str, dict[str, Tensor]]) -> dict[str, Tensor]:
    return {
        f"{module}.{name}": tensor
        for module, state in published.items()
        for name, tensor in state.items()
    }


def equal(first: TEMOS, second: TEMOS) -> bool:
    pairs = zip(first.state_dict().items(), second.state_dict().items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


@pytest.mark.parametrize("name", ["run", "bandai_run"])
def test_published_folders_load_as_they_are(shared: Path, name: str) -> None:
    model = load_model(RunDir(shared / "golden" / name))
    assert not model.training
    motion = pack([torch.randn(30, 263), torch.randn(12, 263)])
    assert model.encode_motion(motion).mu.isfinite().all()


def test_our_checkpoint_gives_the_published_files_and_the_same_model(
    run: RunDir, published: dict[str, dict[str, Tensor]]
) -> None:
    model = load_model(run)
    save_checkpoint(run, prefixed(model))
    folder = extract(run)
    assert folder == run.weights()
    assert len(list(folder.iterdir())) == 2 * len(MODULES)
    for module, expected in published.items():
        for state in (
            torch.load(folder / f"{module}.pt", weights_only=True),
            load_file(folder / f"{module}.safetensors"),
        ):
            assert state.keys() == expected.keys()
            assert all(torch.equal(state[name], expected[name]) for name in expected)
    assert equal(load_model(run), model)
    for file in folder.glob("*.safetensors"):
        file.unlink()
    assert equal(load_model(run), model)


def test_a_checkpoint_of_the_original_is_extracted_with_its_omegaconf_parameters(
    run: RunDir, published: dict[str, dict[str, Tensor]]
) -> None:
    model = load_model(run)
    config = OmegaConf.create(json.loads(run.config.read_text()))
    config.model.sizes = [1, 2.5, "three", None, True]
    save_checkpoint(run, original(published), hyper_parameters=config.model)
    extract(run)
    assert equal(load_model(run), model)


def test_a_checkpoint_saved_on_a_gpu_is_read_without_one(
    run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Storages marked ``cuda:0``, as torch writes them where there is a GPU."""
    model = load_model(run)
    with monkeypatch.context() as patch:
        patch.setattr("torch.serialization.location_tag", lambda storage: "cuda:0")
        save_checkpoint(run, prefixed(model))
    assert b"cuda:0" in (run.checkpoints / "last.ckpt").read_bytes()
    extract(run)
    assert equal(load_model(run), model)


def test_a_run_of_our_own_loads_from_its_own_config(run: RunDir) -> None:
    model = load_model(run)
    run.config.write_text(json.dumps(translate(json.loads(run.config.read_text()))))
    assert equal(load_model(run), model)


def test_a_run_with_only_a_checkpoint_tells_to_extract(run: RunDir) -> None:
    save_checkpoint(run, prefixed(load_model(run)))
    with pytest.raises(InputError, match=rf"checkpoint; run `python extract.py run_dir={run.root}"):
        load_model(run)
    (run.checkpoints / "last.ckpt").rename(run.checkpoints / "best.ckpt")
    with pytest.raises(InputError, match="found checkpoints: best; extracted: none"):
        load_model(run)
    with pytest.raises(InputError, match=r"extract\.py run_dir=\S+ ckpt=best"):
        load_model(run, "best")
    with pytest.raises(InputError, match=r"no checkpoint .*last\.ckpt; found best"):
        extract(run)


def test_a_missing_module_is_named(run: RunDir) -> None:
    (run.weights() / "text_encoder.pt").unlink()
    with pytest.raises(InputError, match=r"no text_encoder weights in .*extracted: last_weights"):
        load_model(run)


@pytest.mark.parametrize("left", [0, 10, 5000, -100])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_truncated_file_is_named_with_its_remedy(run: RunDir, suffix: str, left: int) -> None:
    save_checkpoint(run, prefixed(load_model(run)))
    extract(run)
    file = run.weights() / f"motion_decoder{suffix}"
    if suffix == ".pt":
        file.with_suffix(".safetensors").unlink()
    file.write_bytes(file.read_bytes()[:left])
    with pytest.raises(InputError, match=rf"{file} is damaged.*extract\.py run_dir={run.root}"):
        load_model(run)


def test_weights_of_another_size_are_refused(run: RunDir) -> None:
    config = json.loads(run.config.read_text())
    config["model"]["text_encoder"]["nfeats"] = 50
    run.config.write_text(json.dumps(config))
    with pytest.raises(
        InputError,
        match=r"text_encoder.* projection\.weight is \(32, 48\), the config makes it \(32, 50\)",
    ):
        load_model(run)
    config["model"]["text_encoder"]["num_layers"] = 3
    run.config.write_text(json.dumps(config))
    with pytest.raises(InputError, match=r"layers\.2\.\S+ is missing, and \d+ more"):
        load_model(run)


class Foreign:
    """Something that only running code could restore."""


def test_a_checkpoint_with_foreign_objects_is_refused_without_running_code(run: RunDir) -> None:
    save_checkpoint(run, {}, hyper_parameters=Foreign())
    with pytest.raises(InputError, match="holds objects beside tensors"):
        extract(run)
    assert not run.weights().exists()


def test_a_checkpoint_of_something_else_is_refused(run: RunDir) -> None:
    save_checkpoint(run, {"motion_encoder.tokens": torch.zeros(2, 3), "loss.x": torch.zeros(1)})
    with pytest.raises(InputError, match="no weights of text_encoder, motion_decoder"):
        extract(run)
    torch.save([1, 2], run.checkpoints / "last.ckpt")
    with pytest.raises(InputError, match="holds a list"):
        extract(run)
    assert not run.weights().exists()


def test_the_command_extracts_and_refuses_in_one_line(run: RunDir, root: Path) -> None:
    save_checkpoint(run, prefixed(load_model(run)))

    def command(*options: str) -> CompletedProcess[str]:
        return completed(root, shlex.join(["python", "extract.py", *options]))

    done = command(f"run_dir={run.root}")
    assert done.returncode == 0, done.stderr
    assert f"wrote {run.weights()}" in done.stdout
    assert load_model(run) is not None
    refused = command()
    expected = "error: option run_dir is missing; for example: python extract.py run_dir=outputs/"
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert refused.stderr.startswith(expected)


def test_a_model_without_decoder_has_files_of_its_own_parts(tmp_path: Path) -> None:
    """In half precision they take half of the space, and are read as they are."""
    sizes = {"latent_dim": 8, "ff_size": 8, "num_layers": 1, "num_heads": 2, "dropout": 0.0}
    encoder = {"_target_": "tmr.model.ActorEncoder", **sizes}
    config = {
        "data": {"_target_": "tmr.data.TextMotionData"},
        "language_model": {"_target_": "tmr.text.TextModel"},
        "model": {
            "_target_": "tmr.model.SideAwareTMR",
            "motion_encoder": encoder | {"nfeats": 263},
            "text_encoder": encoder | {"nfeats": 4},
            "motion_decoder": None,
            "loss_weights": {"recons": 0, "kl": 0, "latent": 0, "contrastive": 1, "side": 1},
            "temperature": 0.1, "threshold_selfsim": 0.8, "learn_temperature": True,
        },
    }  # fmt: skip
    run = RunDir(tmp_path)
    run.config.write_text(json.dumps(config))
    model = model_of(config)
    save_checkpoint(run, prefixed(model))
    folder = extract(run)
    parts = ("motion_encoder", "text_encoder", "temperature", "side_head")
    assert {path.stem for path in folder.iterdir()} == set(parts)
    assert equal(load_model(run), model)
    whole = file_sizes(folder)
    half = {p: {n: t.half() for n, t in getattr(model, p).state_dict().items()} for p in parts}
    save_weights(folder, half)
    assert file_sizes(folder) < 0.8 * whole
    for name, tensor in load_model(run).state_dict().items():
        assert tensor.dtype == torch.float32
        torch.testing.assert_close(tensor, model.state_dict()[name], rtol=1e-3, atol=1e-4)


def file_sizes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))
