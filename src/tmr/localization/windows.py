"""Windows of several lengths over long motions, and their latents."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from tmr.errors import InputError
from tmr.model import Encoder
from tmr.motion.skeleton import FPS
from tmr.progress import check_wanted
from tmr.sequences import Packed

SHORTEST = 0.5  # seconds; less shows no action
_SHORTEST_FRAMES = round(SHORTEST * FPS)
_FRAMES_AT_ONCE = 2**16  # of motions whose windows are encoded together

Spans = Int[np.ndarray, "windows 2"]


@dataclass(frozen=True, slots=True)
class WindowPlan:
    """Which windows a motion is cut into.

    ``seconds`` are their lengths; windows of one length start ``step`` of that length apart.
    ``frames_per_pass`` bounds how many frames go through the model together, and so the memory.

    Raises:
        InputError: a length below half a second, or a step outside (0, 1].
    """

    seconds: Sequence[float]
    step: float
    frames_per_pass: int

    def __post_init__(self) -> None:
        if not self.seconds or min(self.seconds) < SHORTEST:
            raise InputError(
                f"found windows of {list(self.seconds)} seconds; expected at least one length, "
                f"and none below {SHORTEST}"
            )
        if not 0 < self.step <= 1:
            raise InputError(f"found step={self.step}; expected more than 0 and at most 1")

    def spans(self, num_frames: int) -> Spans:
        """First and end frame of every window, by length and then by time.

        No window is longer than the motion: longer ones become the whole motion, once. The last
        window of each length ends with the motion, so that every frame is covered.

        Raises:
            InputError: the motion is shorter than half a second.
        """
        if num_frames < _SHORTEST_FRAMES:
            raise InputError(
                f"the motion has {num_frames} frames ({num_frames / FPS:.2f} s); localization "
                f"needs at least {_SHORTEST_FRAMES} ({SHORTEST} s)"
            )
        lengths = sorted({min(round(s * FPS), num_frames) for s in self.seconds})
        return np.concatenate([self._spans_of(length, num_frames) for length in lengths])

    def _spans_of(self, length: int, num_frames: int) -> Spans:
        last = num_frames - length
        starts = np.append(np.arange(0, last, max(round(self.step * length), 1)), last)
        return np.stack([starts, starts + length], axis=1)

    @torch.no_grad()
    def encode(
        self, encoder: Encoder, features: Float[Tensor, "frames feat"], spans: Spans
    ) -> Float[Tensor, "windows dim"]:
        """Mean latent of each window of normalized features, scaled to length 1, on the CPU.

        A cut of features is a valid clip, because they describe the root relative to itself. The
        model's input projection is computed once a frame and shared by all windows; its positions
        count from the start of each window, so nothing behind them can be shared. Windows of one
        length go through the layers together: nothing is padded.
        """
        projected = encoder.project(features)
        lengths = spans[:, 1] - spans[:, 0]
        latents: list[Tensor] = []
        order: list[Int[np.ndarray, " some"]] = []
        for length in np.unique(lengths):
            rows = np.flatnonzero(lengths == length)
            size = max(self.frames_per_pass // int(length), 1)
            for part in np.split(rows, range(size, len(rows), size)):
                check_wanted()
                frames = torch.from_numpy(spans[part, :1] + np.arange(length))
                windows = projected[frames.flatten().to(projected.device)]
                packed = Packed(windows, (int(length),) * len(part))
                latents.append(encoder.encode_projected(packed).mu.float().cpu())
                order.append(part)
        back = torch.from_numpy(np.concatenate(order).argsort())
        return F.normalize(torch.cat(latents)[back], dim=-1)


@dataclass(frozen=True)
class WindowLatents:
    """Latents of all windows of one or many motions.

    ``spans`` count frames as if the motions were laid end to end; motion i, ``names[i]``, has the
    frames from ``offsets[i]`` to ``offsets[i + 1]``, and no window belongs to two motions. So
    spans of different motions never overlap.
    """

    names: tuple[str, ...]
    offsets: Int[np.ndarray, " motions_and_end"]
    spans: Spans
    latents: Float[Tensor, "windows dim"]

    def motions(self, spans: Int[np.ndarray, "some 2"]) -> Int[np.ndarray, " some"]:
        """The motion that each span lies in."""
        return np.searchsorted(self.offsets, spans[:, 0], side="right") - 1

    def of(self, motion: int) -> "WindowLatents":
        """The windows of one motion, their frames counted from its start."""
        begin, end = self.offsets[motion], self.offsets[motion + 1]
        rows = slice(*np.searchsorted(self._motions, [motion, motion + 1]))
        return WindowLatents(
            (self.names[motion],),
            np.array([0, end - begin]),
            self.spans[rows] - begin,
            self.latents[rows],
        )

    @cached_property
    def _motions(self) -> Int[np.ndarray, " windows"]:
        # In ascending order, because motions are encoded concatenated.
        return self.motions(self.spans)


def encode_motions(
    plan: WindowPlan,
    encoder: Encoder,
    motions: Iterable[tuple[str, Float[Tensor, "_ feat"]]],
) -> WindowLatents:
    """Latents of all windows of motions: pairs of a name and normalized features.

    Short motions are collected until there are enough frames to fill the passes through the model;
    only those are in memory at a time, so a library may be of any size.

    Raises:
        InputError: a motion is shorter than half a second.
    """
    device = next(encoder.parameters()).device
    names: list[str] = []
    offsets, spans, latents = [0], [], []
    waiting: list[Float[Tensor, "_ feat"]] = []
    waiting_spans: list[Spans] = []
    base = 0

    def flush() -> None:
        nonlocal base
        if waiting:
            local = np.concatenate(waiting_spans) - base
            latents.append(plan.encode(encoder, torch.cat(waiting).to(device), local))
            spans.append(local + base)
            waiting.clear()
            waiting_spans.clear()
        base = offsets[-1]

    for name, features in motions:
        waiting_spans.append(plan.spans(len(features)) + offsets[-1])
        waiting.append(features)
        names.append(name)
        offsets.append(offsets[-1] + len(features))
        if offsets[-1] - base >= _FRAMES_AT_ONCE:
            flush()
    flush()
    if not names:
        raise InputError("no motion to cut into windows")
    return WindowLatents(tuple(names), np.array(offsets), np.concatenate(spans), torch.cat(latents))
