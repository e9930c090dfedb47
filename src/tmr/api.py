"""A trained model for other programs: texts and motions in, latents and scores out."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from tmr.data import Normalizer
from tmr.device import choose_device, matmul_dtype
from tmr.errors import InputError, whole_number
from tmr.generation import metrics, sampling
from tmr.generation.evaluator import Evaluator
from tmr.model import TEMOS, Gaussian
from tmr.motion.conventions import Overrides
from tmr.motion.features import features_to_joints
from tmr.motion.inputs import Statistics, as_features
from tmr.motion.writers import Animation
from tmr.retrieval import cosine_similarity, encode_sequences, shown_score
from tmr.runs.build import data_of, text_model_of
from tmr.runs.default import default_run
from tmr.runs.folder import RunDir
from tmr.runs.hub import export, publish, run_at
from tmr.runs.weights import load_model
from tmr.sequences import Packed
from tmr.text import EmbeddingCache, TextModel
from tmr.text.inputs import as_texts

Motion = np.ndarray | Tensor
Motions = Iterable[Motion] | Motion  # an array of motions of one length will do

_KEPT_TEXTS = 16_384  # whose token states a model keeps in memory


def load(
    run_dir: str | Path | None = None,
    device: str = "cpu",
    ckpt: str = "last",
    precision: str = "fp32",
) -> "Model":
    """The model of a run folder, ready to encode; without ``run_dir``, the one that ships with tmr.

    ``run_dir`` is a folder, ours or published, or ``hf://user/repo`` (``hf://user/repo@revision``)
    on the Hugging Face hub. ``device`` is ``cpu``, ``cuda``, ``cuda:1`` ..., or ``auto``: a GPU
    where there is one. ``ckpt`` names the weights: those in ``RUN_DIR/<ckpt>_weights``.
    ``precision`` is ``fp32``, or ``bf16``: faster on GPUs and CPUs that have it, and good for
    ranks, while scores move in the third digit.

    Raises:
        InputError: no such folder, weights missing or damaged, or no such device.
    """
    device = choose_device(device)
    run = default_run() if run_dir is None else run_at(run_dir)
    config = run.read_config()
    with torch.random.fork_rng(devices=[]):  # fresh weights are drawn before they are overwritten
        network = load_model(run, ckpt, device)
    return Model(run, ckpt, config, network, text_model_of(config, device), precision)


@dataclass(eq=False, repr=False)
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
        return self.network.motion_encoder.latent_dim

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.network.parameters()).device

    def __repr__(self) -> str:
        return (
            f"Model({self.name!r}, {type(self.network).__name__}, dim={self.dim}, "
            f"text={self.text_model.name!r}, device={str(self.device)!r}, "
            f"precision={self.precision!r})"
        )

    def to(self, device: str | torch.device) -> "Model":
        """Move the networks and the language model to a device, in place; returns the model.

        Raises:
            InputError: no such device here.
        """
        name = choose_device(str(device))
        self.network.to(name)
        self.text_model = replace(self.text_model, device=name)
        return self

    def encode(self, items: Iterable[str] | Motions, **options: Any) -> Float[Tensor, "items dim"]:
        """Mean latents of texts or of motions: `encode_texts` of strings, else `encode_motions`.

        Raises:
            InputError: as these two.
        """
        listed: Any = items
        if isinstance(items, Iterable) and not isinstance(items, str | Tensor):
            listed = list(items)
        if isinstance(listed, str) or (
            isinstance(listed, list) and all(isinstance(item, str) for item in listed)
        ):
            return self.encode_texts(listed, **options)
        return self.encode_motions(listed, **options)

    @torch.no_grad()
    def encode_texts(
        self,
        texts: Iterable[str],
        batch_size: int = 256,
        embeddings: EmbeddingCache | None = None,
    ) -> Float[Tensor, "texts dim"]:
        """Mean latents of texts, in order, on the model's device.

        A text goes through the language model once: its token states are kept in memory, and those
        that ``embeddings`` holds are read from there.

        Raises:
            InputError: no texts, an empty one, one that is no string, or one string in place of a
                list.
        """
        return self._encode_texts(self.network.encode_text, texts, batch_size, embeddings)

    @torch.no_grad()
    def text_gaussians(self, texts: Iterable[str], batch_size: int = 256) -> Gaussian:
        """The Gaussians of texts, in order, on the model's device; their means are the latents.

        Raises:
            InputError: as `encode_texts`.
        """

        def both(tokens: Packed) -> Gaussian:
            found = self.network.encode_text(tokens)
            # Means are what comes back from encoding, so the variances travel beside them.
            side_by_side = torch.cat([found.mu, found.logvar], dim=-1)
            return Gaussian(side_by_side, side_by_side)

        return Gaussian(*self._encode_texts(both, texts, batch_size).chunk(2, dim=-1))

    @torch.no_grad()
    def encode_motions(
        self,
        motions: Motions,
        batch_size: int = 64,
        *,
        lengths: Iterable[Any] | None = None,
        normalized_by: Statistics | None = None,
        fps: float | int | None = None,
        unit: float | int | str | None = None,
        up: str | None = None,
        handedness: str | None = None,
        check: bool = True,
    ) -> Float[Tensor, "motions dim"]:
        """Mean latents of motions, in order, on the model's device.

        Each is an array or tensor: features (T, 263), unnormalized, at 20 frames a second; or
        joints (T + 1, 22, 3) in meters, Y up, right-handed, at 20 frames a second.

        - ``lengths``: the numbers of real frames, where motions are padded.
        - ``normalized_by``: the (mean, standard deviation), each (263,), that features were
          normalized with; this is undone.
        - ``fps``, ``unit`` (meters, or "cm", "inch", ...), ``up`` ("x", "y", "z", "-x", ...),
          ``handedness`` ("left"): what joints have that differ from the above.

        Features and joints show by their redundancy whether they mean this
        (`tmr.motion.feature_checks`). ``check=False`` encodes them whatever they show.

        Raises:
            InputError: no motions; one of a wrong type or shape, too short, padded or not finite;
                half of them or more mean something else. The first one is named, with a remedy.
        """
        overrides = None
        if not (fps is None and unit is None and up is None and handedness is None):
            overrides = Overrides(fps=fps, unit=unit, up=up, handedness=handedness)
        features = as_features(motions, lengths, normalized_by, overrides, check)
        normalizer = self.normalizer
        normal = [normalizer(torch.from_numpy(motion)) for motion in features]
        return self._encode(self.network.encode_motion, normal, batch_size)

    def score(
        self, texts: Iterable[str], motions: Motions, **options: Any
    ) -> Float[Tensor, "texts motions"]:
        """The score (1 + cosine) / 2, between 0 and 1, of every text with every motion.

        ``options`` are those of `encode_motions`. Source: TMR (ICCV 2023).

        Raises:
            InputError: as `encode_texts` and `encode_motions`.
        """
        latents = self.encode_motions(motions, **options)
        return shown_score(cosine_similarity(self.encode_texts(texts), latents))

    @torch.no_grad()
    def decode(
        self, latents: Float[Tensor, "motions dim"], frames: Sequence[int], batch_size: int = 64
    ) -> list[Float[Tensor, "_ 263"]]:
        """The motion that the decoder sees in each latent: unnormalized features on the CPU.

        ``frames`` are their lengths at 20 frames a second. Motions of like length are decoded
        together, at most ``batch_size``.

        Raises:
            InputError: the model has no decoder, a length below 1, or numbers that differ.
        """
        if getattr(self.network, "motion_decoder", None) is None:
            raise InputError(
                f"{self.name} has no decoder, so it encodes and scores but makes no motion; load "
                "a model that was trained with one"
            )
        if len(frames) != len(latents) or any(length < 1 for length in frames):
            raise InputError(
                f"found {len(latents)} latents and the lengths {list(frames)[:8]}; expected as "
                "many lengths, each of at least one frame"
            )
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
        texts: Iterable[str],
        seconds: float | int | Sequence[float | int],
        samples: int = 1,
        fact: float | int = 1.0,
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
        texts = as_texts(texts)
        if isinstance(seconds, str) or not isinstance(seconds, Iterable | int | float):
            raise InputError(f"seconds={seconds!r}: expected a number, or one for each text")
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
        seconds: float | int,
        steps: int = 5,
        fact: float | int = 0.0,
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

    @staticmethod
    def from_pretrained(where: str | Path, **options: Any) -> "Model":
        """`tmr.load` of a folder, or of ``user/repo`` on the Hugging Face hub.

        Raises:
            InputError: as `tmr.load`.
        """
        is_repo = isinstance(where, str) and where.count("/") == 1 and not Path(where).exists()
        return load(f"hf://{where}" if is_repo else where, **options)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write config, weights and statistics to a folder that `tmr.load` reads.

        Raises:
            InputError: the folder cannot be written to.
        """
        export(self.run, RunDir(Path(folder)), self.network, self.normalizer, self.ckpt)

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
        texts: Iterable[str],
        batch_size: int,
        embeddings: EmbeddingCache | None = None,
    ) -> Float[Tensor, "texts dim"]:
        texts = as_texts(texts)
        unique = list(dict.fromkeys(texts))
        embed = self._token_states if embeddings is None else embeddings.token_states
        tokens = [torch.as_tensor(states) for states in embed(unique)]
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

    def _token_states(self, texts: Sequence[str]) -> list[Float[np.ndarray, "_ dim"]]:
        new = [text for text in texts if text not in self._kept]
        found = dict(zip(new, self.text_model.tokens(new) if new else (), strict=True))
        states = [found[text] if text in found else self._kept[text] for text in texts]
        self._kept.update(found)
        while len(self._kept) > _KEPT_TEXTS:
            self._kept.pop(next(iter(self._kept)))  # the oldest
        return states

    @cached_property
    def _kept(self) -> dict[str, Float[np.ndarray, "_ dim"]]:
        """Token states of texts, in the order in which they came."""
        return {}

    def _encode(
        self,
        encoder: Callable[[Packed], Gaussian],
        sequences: Sequence[Float[Tensor, "_ feat"]],
        batch_size: int,
    ) -> Float[Tensor, "n dim"]:
        batch_size = whole_number("batch_size", batch_size)
        with evaluating(self.network), matmul_dtype(self.device, self.precision):
            latents = encode_sequences(encoder, sequences, batch_size, self.device)
        # A copy, because tensors made in inference mode may not meet autograd.
        return latents.to(self.device, copy=True)


def evaluate_generation(
    model: Model,
    texts: Any,
    generated: Any,
    reference: Any = None,
    *,
    batch: int = metrics.BATCH,
    check: bool = True,
) -> dict[str, float]:
    """How good generated motions are, evaluated by ``model``: metrics by name, in one call.

    ``texts[i]`` is a caption, or a list of several of one motion. ``generated[i]`` is one motion of
    that text, or a list of several, for every text as many; ``reference[i]`` is the real motion,
    which may be left out. In place of each, latents (from ``encode_texts`` and ``encode_motions``)
    may be given: those of texts and reference need to be computed only once in a training loop.
    Compare with the metrics of real motions, ``evaluate_generation(model, texts, reference,
    reference)``. Scores of single motions, intervals and batches one by one:
    `tmr.generation.evaluator.Evaluator`.

    The same input gives the same metrics: nothing is drawn at random. With t_i, m_i, r_i the
    unit latents of text, generated and real motion:

    - ``r_precision_1, _2, _3``: share of motions whose text is among the nearest 1, 2, 3 of a
      batch of ``batch`` (32 in Guo et al., CVPR 2022), the mean over all batches; more is better.
    - ``r_precision_all_1, _2, _3``: the same against all texts.
    - ``matching_score``: mean |t_i - m_i|, also MM-distance (Guo et al.); less is better.
    - ``fid``: |mu_m - mu_r|^2 + tr(S_m + S_r - 2 (S_m S_r)^(1/2)) (Heusel et al., NeurIPS 2017);
      less is better, 0 for the same set; only with reference motions.
    - ``fid_unscaled``: the same of latents as they are, the published convention.
    - ``diversity``: mean |m_i - m_j| over texts i != j (Guo et al.); best near the real one.
    - ``multimodality``: mean |m_ia - m_ib| over motions a != b of one text (Guo et al.); only with
      several motions a text.
    - ``text_score``: TMR score, mean (1 + cos(t_i, m_i)) / 2; more is better.
    - ``motion_score``: mean (1 + cos(r_i, m_i)) / 2 (Petrovich et al., "Multi-Track Timeline
      Control", 2024); more is better; only with reference motions.

    Formulas in full: `tmr.generation.metrics`.

    Raises:
        InputError: fewer than ``batch`` texts, numbers that differ, or input that cannot be
            encoded.
    """
    evaluator = Evaluator(model, batch, check)
    evaluator.update(texts, generated, reference)
    return evaluator.compute().metrics


def animate(motion: Motion) -> Animation:
    """A motion, features (T, 263) or joints (T, 22, 3), that moves where a notebook shows it.

    Raises:
        InputError: it is neither.
    """
    return Animation(features_to_joints(as_features([motion], check=False)[0]))


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
