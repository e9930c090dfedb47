"""Objects from a config: data set, cached text embeddings, model.

A run folder comes from elsewhere, so what its config may name is an exact table of classes at their
places, with bounds on their sizes; nothing else is imported or called.
"""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from tmr.data import TextMotionData
from tmr.errors import InputError
from tmr.model import (
    TEMOS,
    TMR,
    ActorDecoder,
    ActorEncoder,
    EncoderEnsemble,
    MirrorEncoder,
    SideAwareTMR,
    TextContrastiveTMR,
)
from tmr.text import EmbeddingCache, TextModel, embeddings_folder

Config = Mapping[str, Any]

ENCODERS = {
    "tmr.model.ActorEncoder": ActorEncoder,
    "tmr.model.EncoderEnsemble": EncoderEnsemble,
    "tmr.model.MirrorEncoder": MirrorEncoder,
}
# Place in a config: the names that ``_target_`` may have there, and what each stands for.
CLASSES: dict[str, dict[str, Any]] = {
    "data": {"tmr.data.TextMotionData": TextMotionData},
    "language_model": {"tmr.text.TextModel": TextModel},
    "model": {
        "tmr.model.TEMOS": TEMOS,
        "tmr.model.TMR": TMR,
        "tmr.model.SideAwareTMR": SideAwareTMR,
        "tmr.model.TextContrastiveTMR": TextContrastiveTMR,
    },
    "model.motion_encoder": ENCODERS,
    "model.text_encoder": ENCODERS,
    "model.motion_decoder": {"tmr.model.ActorDecoder": ActorDecoder},
}
# Largest sizes: ten times those of any published model of this kind.
LARGEST = {
    "members": 64,
    "nfeats": 16384,
    "token_dim": 16384,
    "latent_dim": 8192,
    "ff_size": 32768,
    "num_layers": 96,
    "num_heads": 128,
}
_PLAIN = {bool, int, float, str, type(None)}
NAMES = ("data.name", "language_model.name", "model.name")  # parts of paths of files that we write


def data_of(config: Config) -> TextMotionData:
    """The data set that a config names."""
    return build("data", config["data"])


def text_model_of(config: Config, device: str = "cpu") -> TextModel:
    """The frozen language models that a config names, loaded at first use."""
    return build("language_model", config["language_model"], device=device)


def embeddings_of(config: Config, data: TextMotionData, device: str = "cpu") -> EmbeddingCache:
    """Cached text embeddings of a data set by the config's text model."""
    text = text_model_of(config, device)
    return EmbeddingCache(embeddings_folder(data.annotations, text.name), text)


def model_of(config: Config) -> TEMOS:
    """The model of a config, with fresh weights."""
    return build("model", config["model"])


def build(place: str, config: Any, **options: Any) -> Any:
    """The object that a part of a config describes, with those of its own parts.

    Raises:
        InputError: a class that does not belong at this place, an option that it does not have or
            lacks, or a size out of bounds.
    """
    check_part(place, config)
    made = CLASSES[place][config["_target_"]]
    given = {name: value for name, value in config.items() if name != "_target_"}
    for name, value in given.items():
        if f"{place}.{name}" in CLASSES and value is not None:
            given[name] = build(f"{place}.{name}", value)
    _check_options(place, made, given | options)
    return made(**given | options)


def check_config(config: Config) -> None:
    """Refuse the config of a run folder that could name or reach what it should not.

    Raises:
        InputError: no data, language model or model; a class that does not belong where it is
            named; a reference ``${...}``; a size out of bounds; or a name with a path in it.
    """
    missing = [part for part in ("data", "language_model", "model") if part not in config]
    if missing:
        raise InputError(f"it has no {', '.join(missing)}; is this the config of a run folder?")
    for place, value in _leaves(config):
        if isinstance(value, str) and "${" in value:
            raise InputError(f"{place[:100]!r} is {value[:60]!r}: references are not followed")
        parent, _, last = place.rpartition(".")
        if last == "_target_":
            _check_target(parent, value)
    for part in ("data", "language_model", "model"):
        check_part(part, config[part])
    for place in NAMES:
        part, _, name = place.partition(".")
        if name in config[part]:
            check_name(place, config[part][name])


def check_part(place: str, config: Any) -> None:
    """Refuse a part of a config with another class than belongs there, or a size out of bounds.

    Raises:
        InputError: as said.
    """
    if not isinstance(config, Mapping):
        raise InputError(f"{place} is {str(config)[:60]!r}, expected its options by name")
    _check_target(place, config.get("_target_"))
    for name, value in config.items():
        if name in LARGEST and (
            isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= LARGEST[name]
        ):
            raise InputError(
                f"{place}.{name} is {str(value)[:60]!r}: expected a whole number from 1 to "
                f"{LARGEST[name]}"
            )
        if f"{place}.{name}" in CLASSES and value is not None:
            check_part(f"{place}.{name}", value)


def check_name(place: str, name: Any) -> None:
    """Refuse a name that would lead out of the folder where its files are.

    Raises:
        InputError: not one plain file name.
    """
    plain = isinstance(name, str) and name.strip() and name not in (".", "..")
    if not plain or set(name) & set("/\\:\0\n") or len(name) > 200:
        raise InputError(f"{place} is {str(name)[:60]!r}: expected a name, without a path")


def _check_target(place: str, target: Any) -> None:
    known = CLASSES.get(place, {})
    if not isinstance(target, str) or target not in known:
        expected = f"expected {' or '.join(known)}" if known else "no class belongs there"
        raise InputError(f"it names {target!r:.100} at {place}; {expected}")


def _check_options(place: str, made: Any, given: Mapping[str, Any]) -> None:
    """Compare options with the parameters of a class, those of its parents where it passes on."""
    known: dict[str, inspect.Parameter] = {}
    for parent in made.__mro__:
        parameters = inspect.signature(parent.__init__).parameters
        known |= {name: p for name, p in parameters.items() if name not in known}
        if inspect.Parameter.VAR_KEYWORD not in {p.kind for p in parameters.values()}:
            break
    known.pop("self")
    known = {n: p for n, p in known.items() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
    unknown = [name for name in given if name not in known]
    lacking = [n for n, p in known.items() if p.default is p.empty and n not in given]
    if unknown or lacking:
        problem = f"has no option {unknown[0]}" if unknown else f"needs {lacking[0]}"
        raise InputError(f"{place}: {made.__name__} {problem}")
    for name, value in given.items():
        kinds = get_args(known[name].annotation) or (known[name].annotation,)
        if not _is_one_of(value, kinds):
            expected = " or ".join(kind.__name__ for kind in kinds)
            raise InputError(f"{place}.{name} is {str(value)[:60]!r}: expected {expected}")


def _is_one_of(value: Any, kinds: Sequence[Any]) -> bool:
    """Whether a value has one of these types, where they are those of plain values."""
    if not {*kinds} <= _PLAIN:
        return True
    if isinstance(value, bool):
        return bool in kinds
    return isinstance(value, (*kinds, int) if float in kinds else tuple(kinds))


def _leaves(node: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Every value in a config with its place; without recursion, which a config could exhaust."""
    pending = [(place, node)]
    while pending:
        place, node = pending.pop()
        if isinstance(node, Mapping):
            pending += [(f"{place}.{key}".lstrip("."), value) for key, value in node.items()]
            yield from ((f"{place} (a key)", key) for key in node if "${" in str(key))
        elif isinstance(node, list):
            pending += [(f"{place}[{i}]", value) for i, value in enumerate(node)]
        else:
            yield place, node
