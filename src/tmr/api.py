"""A trained model for other programs: texts and motions in, latents and scores out."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from tmr.data import Normalizer
from tmr.device import choose_device, matmul_dtype
from tmr.errors import InputError
from tmr.generation import metrics, sampling
from tmr.model import TEMOS, Gaussian
from tmr.motion.features import NUM_FEATURES, joints_to_features
from tmr.motion.skeleton import NUM_JOINTS
from tmr.retrieval import cosine_similarity, encode_sequences, shown_score
from tmr.runs.build import data_of, text_model_of
from tmr.runs.folder import RunDir
from tmr.runs.hub import publish, run_at
from tmr.runs.weights import load_model
from tmr.sequences import Packed
from tmr.text import EmbeddingCache, TextModel

Motion = np.ndarray | Tensor
Motions = Sequence[Motion] | Motion  # an array of motions of one length will do


def load(
    run_dir: str | Path, device: str = "cpu", ckpt: str = "last", precision: str = "fp32"
) -> "Model":
    """The model of a run folder, ready to encode.

    ``run_dir`` is a folder, ours or published, or ``hf://user/repo`` (``hf://user/repo@revision``)
    on the Hugging Face hub. ``device`` is ``cpu``, ``cuda``, ``cuda:1`` ..., or ``auto``: a GPU
    where there is one. ``ckpt`` names the weights: those in ``RUN_DIR/<ckpt>_weights``.
    ``precision`` is ``fp32``, or ``bf16``: faster on GPUs and CPUs that have it, and good for
    ranks, while scores move in the third digit.

    Raises:
        InputError: no such folder, weights missing or damaged, or no such device.
    """
    device = choose_device(device)
    run = run_at(run_dir)
    config = run.read_config()
    with torch.random.fork_rng(devices=[]):  # fresh weights are drawn before they are overwritten
        network = load_model(run, ckpt, device)
    return Model(run, ckpt, config, network, text_model_of(config, device), precision)


@dataclass(frozen=True, eq=False)
class Model:
    """A run's networks with all they need to encode raw texts and unnormalized motions.

    ``network`` is the plain torch module in evaluation mode, ``config`` what the run was made
    from, ``text_model`` the frozen language models. Nothing here changes the caller's gradient
    mode, random state, or the mode of ``network``.
    """

    run: RunDir
    ckpt: str
    config: Mapping[str, Any]
    network: TEMOS
    text_model: TextModel
    precision: str = "fp32"

    @cached_property
    def normalizer(self) -> Normalizer:
        """Statistics of the training split: those in the run folder, else of its data set.

        Raises:
            InputError: there are none in either place.
        """
        return self.run.normalizer(data_of(self.config))

    @property
    def fingerprint(self) -> str:
        """Stands for what latents depend on: the encoders, the statistics, the precision."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        digest = hashlib.sha256(self.precision.encode())
        for encoder in (self.network.motion_encoder, self.network.text_encoder):
            for name, tensor in sorted(encoder.state_dict().items()):
                digest.update(name.encode())
                digest.update(tensor.cpu().numpy().tobytes())
        for tensor in (self.normalizer.mean, self.normalizer.std):
            digest.update(tensor.numpy().tobytes())
        return digest.hexdigest()

    @property
    def name(self) -> str:
        """What people call the model: the name of its run folder, and of weights but the last."""
        run = self.run.root.resolve().name
        return run if self.ckpt == "last" else f"{run} ({self.ckpt})"

    @property
    def dim(self) -> int:
        """Length of a latent."""
        return self.network.motion_encoder.get_parameter("tokens").shape[-1]

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.network.parameters()).device

    @torch.no_grad()
    def encode_texts(
        self,
        texts: Sequence[str],
        batch_size: int = 256,
        embeddings: EmbeddingCache | None = None,
    ) -> Float[Tensor, "texts dim"]:
        """Mean latents of texts, in order, on the model's device.

        Where ``embeddings`` has what the language model says of a text, it is not asked again.

        Raises:
            InputError: no texts, an empty one, or one string in place of a list.
        """
        return self._encode_texts(self.network.encode_text, texts, batch_size, embeddings)

    @torch.no_grad()
    def text_gaussians(self, texts: Sequence[str], batch_size: int = 256) -> Gaussian:
        """The Gaussians of texts, in order, on the model's device; their means are the latents.

        Raises:
            InputError: no texts, an empty one, or one string in place of a list.
        """

        def both(tokens: Packed) -> Gaussian:
            found = self.network.encode_text(tokens)
            # Means are what comes back from encoding, so the variances travel beside them.
            side_by_side = torch.cat([found.mu, found.logvar], dim=-1)
            return Gaussian(side_by_side, side_by_side)

        return Gaussian(*self._encode_texts(both, texts, batch_size).chunk(2, dim=-1))

    @torch.no_grad()
    def encode_motions(
        self, motions: Motions, batch_size: int = 64
    ) -> Float[Tensor, "motions dim"]:
        """Mean latents of motions, in order, on the model's device.

        Each is either features (T, 263), unnormalized, or joints (T + 1, 22, 3) in meters, Y up,
        both at 20 frames a second.

        Raises:
            InputError: no motions, or one of a wrong shape, too short, or not finite; its place
                in the list is named.
        """
        if len(motions) == 0:
            raise InputError("expected a list of at least one motion, found none")
        normalizer, features = self.normalizer, []
        for place, motion in enumerate(motions):
            try:
                features.append(normalizer(features_of(motion)))
            except InputError as error:
                raise InputError(f"motion {place + 1} of {len(motions)}: {error}") from None
        return self._encode(self.network.encode_motion, features, batch_size)

    def similarity(self, texts: Sequence[str], motions: Motions) -> Float[Tensor, "texts motions"]:
        """The score (1 + cosine) / 2, between 0 and 1, of every text with every motion."""
        cosine = cosine_similarity(self.encode_texts(texts), self.encode_motions(motions))
        return shown_score(cosine)

    @torch.no_grad()
    def decode(
        self, latents: Float[Tensor, "motions dim"], frames: Sequence[int], batch_size: int = 64
    ) -> list[Float[Tensor, "_ 263"]]:
        """The motion that the decoder sees in each latent: unnormalized features on the CPU.

        ``frames`` are their lengths at 20 frames a second. Motions of like length are decoded
        together, at most ``batch_size``.
        """
        order = sorted(range(len(frames)), key=lambda i: -frames[i])
        motions: dict[int, Tensor] = {}
        with evaluating(self.network), matmul_dtype(self.device, self.precision):
            for start in range(0, len(order), batch_size):
                rows = order[start : start + batch_size]
                lengths = tuple(frames[i] for i in rows)
                decoded = self.network.decode(latents[rows].to(self.device), lengths)
                for i, motion in zip(rows, decoded.unpack(), strict=True):
                    motions[i] = self.normalizer.inverse(motion.float().cpu())
        return [motions[i] for i in range(len(frames))]

    def generate(
        self,
        texts: Sequence[str],
        seconds: float | Sequence[float],
        samples: int = 1,
        fact: float = 1.0,
        seed: int = 0,
        batch_size: int = 64,
    ) -> list[list[Float[Tensor, "_ 263"]]]:
        """``samples`` motions for each text: unnormalized features on the CPU, 20 frames a second.

        ``seconds`` is the length of all, or one for each text. A latent is mu + ``fact`` * sigma *
        noise: 0 gives the mean, so that all samples are the same motion. A text's motions depend
        on itself, ``seconds``, ``fact`` and ``seed``, and not on the other texts.
        `tmr.motion.features.features_to_joints` makes joints of them.

        Raises:
            InputError: no texts, an empty one, a length outside 0.5 seconds to the longest of
                training, or ``samples`` or ``fact`` that cannot be used.
        """
        lengths = [seconds] * len(texts) if isinstance(seconds, int | float) else list(seconds)
        if len(lengths) != len(texts):
            raise InputError(f"found {len(lengths)} lengths for {len(texts)} texts")
        frames = sampling.frames_of_seconds(lengths, self.longest)
        latents = sampling.draw(texts, self.text_gaussians(texts), samples, fact, seed)
        motions = self.decode(
            latents.flatten(0, 1), np.repeat(frames, samples).tolist(), batch_size
        )
        return [motions[start : start + samples] for start in range(0, len(motions), samples)]

    def interpolate(
        self,
        first: str,
        second: str,
        seconds: float,
        steps: int = 5,
        fact: float = 0.0,
        seed: int = 0,
    ) -> list[Float[Tensor, "_ 263"]]:
        """``steps`` motions from one text to another, on a straight line between their latents.

        The first and the last are those that ``generate`` gives for the two texts.

        Raises:
            InputError: as ``generate``, or fewer than two steps.
        """
        frames = sampling.frames_of_seconds([seconds], self.longest)
        texts = [first, second]
        ends = sampling.draw(texts, self.text_gaussians(texts), 1, fact, seed)[:, 0]
        return self.decode(sampling.between(ends[0], ends[1], steps), frames * steps)

    @property
    def longest(self) -> float:
        """Seconds of the longest motions that the model was trained on."""
        return data_of(self.config).max_seconds

    def push_to_hub(self, repo: str, private: bool = False) -> str:
        """The address of the commit that publishes this run as ``user/repo``.

        ``tmr.load("hf://user/repo")`` then loads it anywhere: config, weights (``.pt`` and
        safetensors), statistics, metrics, and a README where the run has none. The repository is
        made where there is none.

        Raises:
            InputError: not logged in, not allowed, no network, or a name that the hub refuses.
        """
        return publish(self.run, self.network, self.normalizer, repo, private, self.ckpt)

    def _encode_texts(
        self,
        encoder: Callable[[Packed], Gaussian],
        texts: Sequence[str],
        batch_size: int,
        embeddings: EmbeddingCache | None = None,
    ) -> Float[Tensor, "texts dim"]:
        if isinstance(texts, str) or not texts:
            raise InputError(f"expected a list of at least one text, found {texts!r}")
        unique = list(dict.fromkeys(texts))
        found = (
            self.text_model.tokens(unique)
            if embeddings is None
            else embeddings.token_states(unique)
        )
        tokens = [torch.as_tensor(states) for states in found]
        width, expected = tokens[0].shape[-1], self.config["model"]["text_encoder"]["nfeats"]
        if width != expected:
            raise InputError(
                f"the text encoder of {self.run.root} reads token states of {expected} numbers, "
                f"the text model {self.text_model.name} gives {width}; name the text model of its "
                f'training under "language_model" in {self.run.config}'
            )
        latents = self._encode(encoder, tokens, batch_size)
        rows = {text: row for row, text in enumerate(unique)}
        return latents[[rows[text] for text in texts]]

    def _encode(
        self,
        encoder: Callable[[Packed], Gaussian],
        sequences: Sequence[Float[Tensor, "_ feat"]],
        batch_size: int,
    ) -> Float[Tensor, "n dim"]:
        with evaluating(self.network), matmul_dtype(self.device, self.precision):
            latents = encode_sequences(encoder, sequences, batch_size, self.device)
        # A copy, because tensors made in inference mode may not meet autograd.
        return latents.to(self.device, copy=True)


def evaluate_generation(
    model: Model,
    texts: Sequence[str] | Float[Tensor, "texts dim"],
    generated: Sequence[Motion | Sequence[Motion]] | Float[Tensor, "generated *generations dim"],
    reference: Sequence[Motion] | Float[Tensor, "reference dim"],
) -> dict[str, float]:
    """How good generated motions are, judged by ``model``: figures by name.

    ``generated[i]`` is one motion of ``texts[i]``, or a list of several, for every text as many;
    ``reference[i]`` is the real motion of that text. In place of each, its latents (from
    ``encode_texts`` and ``encode_motions``) may be given: those of texts and reference need to be
    computed only once in a training loop. Compare with the figures of real motions,
    ``evaluate_generation(model, texts, reference, reference)``.

    The same input gives the same figures: nothing is drawn at random. With t_i, m_i, r_i the
    unit latents of text, generated and real motion:

    - ``r_precision_1, _2, _3``: share of motions whose text is among the nearest 1, 2, 3 of a
      batch of 32 (Guo et al., CVPR 2022), the mean over all batches; more is better.
    - ``matching_score``: mean |t_i - m_i|, also MM-distance (Guo et al.); less is better.
    - ``fid``: |mu_m - mu_r|^2 + tr(S_m + S_r - 2 (S_m S_r)^(1/2)) (Heusel et al., NeurIPS 2017);
      less is better, 0 for the same set.
    - ``diversity``: mean |m_i - m_j| over texts i != j (Guo et al.); best near the real one.
    - ``multimodality``: mean |m_ia - m_ib| over motions a != b of one text (Guo et al.); only with
      several motions a text.
    - ``text_score``: TMR score, mean (1 + cos(t_i, m_i)) / 2; more is better.
    - ``motion_score``: mean (1 + cos(r_i, m_i)) / 2 (Petrovich et al., "Multi-Track Timeline
      Control", 2024); more is better.

    Formulas in full: `tmr.generation.metrics`.

    Raises:
        InputError: fewer than 32 texts, numbers that differ, or input that cannot be encoded.
    """
    text = texts if isinstance(texts, Tensor) else model.encode_texts(texts)
    real = reference if isinstance(reference, Tensor) else model.encode_motions(reference)
    return metrics.evaluate(text, _latents_by_text(model, generated), real)


def _latents_by_text(
    model: Model,
    generated: Sequence[Motion | Sequence[Motion]] | Float[Tensor, "texts *generations dim"],
) -> Float[Tensor, "texts generations dim"]:
    if isinstance(generated, Tensor):
        return generated if generated.ndim == 3 else rearrange(generated, "n dim -> n 1 dim")
    lists = [[m] if isinstance(m, np.ndarray | Tensor) else m for m in generated]
    counts = sorted({len(motions) for motions in lists})
    if len(counts) > 1:
        raise InputError(f"found {counts} generated motions for a text; expected as many for each")
    latents = model.encode_motions([motion for motions in lists for motion in motions])
    return rearrange(latents, "(texts generations) dim -> texts generations dim", texts=len(lists))


def features_of(motion: Motion) -> Float[Tensor, "frames 263"]:
    """Unnormalized float32 features of a motion given as features or joints, on the CPU.

    Raises:
        InputError: any other shape, no frames (for joints: fewer than two), or not finite.
    """
    array = motion.detach().float().cpu().numpy() if isinstance(motion, Tensor) else motion
    if array.ndim == 3:
        return torch.from_numpy(joints_to_features(array))
    if array.ndim != 2 or array.shape[1] != NUM_FEATURES or len(array) == 0:
        raise InputError(
            f"found an array of shape {array.shape}, expected features (frames, {NUM_FEATURES}) "
            f"or joints (frames, {NUM_JOINTS}, 3)"
        )
    if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        raise InputError("the features hold NaN, infinite values, or no numbers")
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
