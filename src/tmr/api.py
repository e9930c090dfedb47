"""A trained model for other programs: texts and motions in, latents and scores out."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from tmr.data import Normalizer
from tmr.errors import InputError
from tmr.model import TEMOS
from tmr.motion.guofeats import NUM_FEATURES
from tmr.motion.published import published_features
from tmr.motion.skeleton import NUM_JOINTS
from tmr.padded import pad
from tmr.retrieval import cosine_similarity, shown_score
from tmr.run.folder import RunDir
from tmr.run.objects import data_of, device_of, text_model_of
from tmr.run.weights import load_model
from tmr.text import TextModel

Motion = np.ndarray | Tensor


def load(run_dir: str | Path, device: str = "cpu", ckpt: str = "last") -> "Model":
    """The model of a run folder, ready to encode.

    ``device`` is ``cpu``, ``cuda``, ``cuda:1`` ..., or ``auto``: a GPU where there is one. ``ckpt``
    names the weights: those in ``RUN_DIR/<ckpt>_weights``.

    Raises:
        InputError: no such folder, weights missing or damaged, or no such device.
    """
    device = device_of(device)
    run = RunDir(Path(run_dir))
    config = run.read_config()
    return Model(run, config, load_model(run, ckpt, device), text_model_of(config, device))


@dataclass(frozen=True)
class Model:
    """A run's networks with all they need to encode raw texts and unnormalised motions.

    ``network`` is the plain torch module in evaluation mode, ``config`` what the run was made
    from, ``text_model`` the frozen language models. Nothing here changes the caller's gradient
    mode, random state, or the mode of ``network``.
    """

    run: RunDir
    config: Mapping[str, Any]
    network: TEMOS
    text_model: TextModel

    @cached_property
    def normalizer(self) -> Normalizer:
        """Statistics of the training split: those in the run folder, else of its data set.

        Raises:
            InputError: there are none in either place.
        """
        return self.run.normalizer(data_of(self.config))

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.network.parameters()).device

    @torch.no_grad()
    def encode_texts(
        self, texts: Sequence[str], batch_size: int = 256
    ) -> Float[Tensor, "texts dim"]:
        """Mean latents of texts, in order, on the model's device.

        Raises:
            InputError: no texts, an empty one, or one string in place of a list.
        """
        if isinstance(texts, str) or not texts:
            raise InputError(f"expected a list of at least one text, found {texts!r}")
        unique = list(dict.fromkeys(texts))
        tokens = [torch.as_tensor(e.tokens) for e in self.text_model.embed(unique)]
        latents = self._encode(tokens, self.network.encode_text, batch_size)
        rows = {text: row for row, text in enumerate(unique)}
        return latents[[rows[text] for text in texts]]

    @torch.no_grad()
    def encode_motions(
        self, motions: Sequence[Motion], batch_size: int = 64
    ) -> Float[Tensor, "motions dim"]:
        """Mean latents of motions, in order, on the model's device.

        Each is either features (T, 263), unnormalised, or joints (T + 1, 22, 3) in metres, Y up,
        both at 20 frames a second.

        Raises:
            InputError: no motions, or one of a wrong shape, too short, or not finite; its place
                in the list is named.
        """
        if isinstance(motions, np.ndarray | Tensor) or not motions:
            found = tuple(motions.shape) if isinstance(motions, np.ndarray | Tensor) else motions
            raise InputError(f"expected a list of at least one motion, found {found}")
        features = []
        for place, motion in enumerate(motions):
            try:
                features.append(self.normalizer(features_of(motion)))
            except InputError as error:
                raise InputError(f"motion {place + 1} of {len(motions)}: {error}") from None
        return self._encode(features, self.network.encode_motion, batch_size)

    def similarity(
        self, texts: Sequence[str], motions: Sequence[Motion]
    ) -> Float[Tensor, "texts motions"]:
        """The score (1 + cosine) / 2, between 0 and 1, of every text with every motion."""
        cosine = cosine_similarity(self.encode_texts(texts), self.encode_motions(motions))
        return shown_score(cosine)

    def _encode(self, sequences: Sequence[Tensor], encoder: Any, batch_size: int) -> Tensor:
        order = sorted(range(len(sequences)), key=lambda i: -len(sequences[i]))
        latents = []
        with evaluating(self.network):
            for start in range(0, len(order), batch_size):
                batch = pad([sequences[i] for i in order[start : start + batch_size]])
                latents.append(encoder(batch.to(self.device)).mu.float())
        return torch.cat(latents)[torch.as_tensor(order).argsort()]


def features_of(motion: Motion) -> Float[Tensor, "frames 263"]:
    """Unnormalised float32 features of a motion given as features or joints, on the CPU.

    Raises:
        InputError: any other shape, no frames (for joints: fewer than two), or not finite.
    """
    array = motion.detach().cpu().numpy() if isinstance(motion, Tensor) else motion
    if array.ndim == 3 and array.shape[2] == 3 and array.shape[1] >= NUM_JOINTS:
        return torch.from_numpy(published_features(array))
    if array.ndim != 2 or array.shape[1] != NUM_FEATURES or len(array) == 0:
        raise InputError(
            f"found an array of shape {array.shape}, expected features (frames, {NUM_FEATURES}) "
            f"or joints (frames, {NUM_JOINTS}, 3)"
        )
    if not np.isfinite(array).all():
        raise InputError("the features hold NaN or infinite values")
    return torch.from_numpy(array.astype(np.float32))


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode, and afterwards the mode that each part was in."""
    training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
