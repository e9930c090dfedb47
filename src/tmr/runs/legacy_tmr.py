"""The one place that knows published run folders: their class names, keys and weight names."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from torch import Tensor

from tmr.errors import InputError

TARGETS = {
    "src.model.TMR": "tmr.model.TMR",
    "src.model.TEMOS": "tmr.model.TEMOS",
    "src.model.ACTORStyleEncoder": "tmr.model.ActorEncoder",
    "src.model.ACTORStyleDecoder": "tmr.model.ActorDecoder",
    "src.data.text_motion.TextMotionDataset": "tmr.data.TextMotionData",
    # What these four say goes into our data and language model configs.
    "src.data.text.TokenEmbeddings": "tmr.text.TextModel",
    "src.data.text.SentenceEmbeddings": "tmr.text.TextModel",
    "src.data.motion.AMASSMotionLoader": "tmr.data.TextMotionData",
    "src.data.motion.Normalizer": "tmr.data.TextMotionData",
}

KEYS = {"lmd": "loss_weights"}

# Keys without a choice: our code always does what these values say.
FIXED = {
    "vae": True,
    "activation": "gelu",
    "fps": 20.0,
    "eps": 1e-12,
    "threshold_selfsim_metrics": 0.95,
}

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
TEXT_NAMES = {
    ("distilbert-base-uncased", "sentence-transformers/all-mpnet-base-v2"): "distilbert_mpnet",
    (MINILM, MINILM): "minilm",
}

# What stands before our `layers.N.` in each module's published state dict.
LAYERS = {
    "motion_encoder": "seqTransEncoder.",
    "text_encoder": "seqTransEncoder.",
    "motion_decoder": "seqTransDecoder.",
}


def is_published(config: Mapping[str, Any]) -> bool:
    """Whether a config uses the published class names."""
    model = config.get("model")
    return isinstance(model, Mapping) and str(model.get("_target_")).startswith("src.")


def with_present_names(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config of this project with the keys of today: `text` was the name of `language_model`."""
    if "text" in config and "language_model" not in config:
        return {"language_model" if k == "text" else k: v for k, v in config.items()}
    return dict(config)


def translate(config: Mapping[str, Any]) -> dict[str, Any]:
    """A published config in this project's form.

    The text model gets the name of our config with the same language models; the data set that
    of its annotation folder.

    Raises:
        InputError: an unknown class, a key missing, or a choice that this code does not have.
    """
    try:
        return _translate(config)
    except KeyError as error:
        raise InputError(f"a published config without the key {error}") from error


def _translate(config: Mapping[str, Any]) -> dict[str, Any]:
    data = _rename(config["data"])
    model = _rename(config["model"])
    loader, annotations = data["motion_loader"], data["path"]
    models = (data["text_to_token_emb"]["modelname"], data["text_to_sent_emb"]["modelname"])
    joined = "_".join(PurePosixPath(model).name for model in models)
    lr = model.pop("lr")
    return {
        "data": {
            "_target_": data["_target_"],
            "name": PurePosixPath(annotations).name,
            "annotations": annotations,
            "motions": loader["base_dir"],
            "stats": loader["normalizer"]["base_dir"],
        },
        "language_model": {
            "_target_": data["text_to_token_emb"]["_target_"],
            "name": TEXT_NAMES.get(models, joined),
            "token_model": models[0],
            "sentence_model": models[1],
            "token_dim": model["text_encoder"]["nfeats"],
        },
        "model": {"name": model["_target_"].rpartition(".")[2].lower(), **model},
        "trainer": {k: v for k, v in config.get("trainer", {}).items() if k == "max_epochs"},
        "run_dir": config["run_dir"],
        "seed": config["seed"],
        "lr": lr,
        "batch_size": config["dataloader"]["batch_size"],
        "pool": 1,  # plain shuffling
    }


def _rename(node: Any) -> Any:
    """A part of a config with our class names and keys, and without keys that carry no choice."""
    if not isinstance(node, Mapping):
        return node
    renamed = {}
    for key, value in node.items():
        if key == "_target_" and value not in TARGETS:
            raise InputError(f"it names the class {value!r}; known are {', '.join(TARGETS)}")
        if key in FIXED and value != FIXED[key]:
            raise InputError(f"it has {key}={value!r}; only {FIXED[key]!r} can be read")
        if key not in FIXED:
            renamed[KEYS.get(key, key)] = TARGETS[value] if key == "_target_" else _rename(value)
    return renamed


def from_published(module: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A module's state dict under our names, from published names (or ours already)."""
    return {name.removeprefix(LAYERS.get(module, "")): tensor for name, tensor in state.items()}


def to_published(module: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A module's state dict under the published names, from ours."""
    return {
        f"{LAYERS[module]}{name}" if name.startswith("layers.") else name: tensor
        for name, tensor in state.items()
    }
