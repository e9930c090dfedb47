"""Animations of scenes, FBX and glTF: nodes with keyframes, sampled at one frame rate."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from tmr.errors import InputError
from tmr.motion.animation import Keyed, check_size

_MAX_FPS = 240.0


@dataclass(slots=True)
class Node:
    """A node of a scene: its parent, its transform against it, and the keyframes of that.

    Rotations are quaternions, scalar first. Keyframes are (times in seconds, values); a constant
    has one. ``is_joint`` is true for nodes of a skeleton.
    """

    name: str
    parent: int
    place: Float[np.ndarray, " 3"]
    turn: Float[np.ndarray, " 4"]
    scale: float
    is_joint: bool
    places: tuple[np.ndarray, np.ndarray] | None = None
    turns: tuple[np.ndarray, np.ndarray] | None = None


def keyed_animation(
    nodes: Sequence[Node], warnings: Sequence[str], fps: float | None = None
) -> Keyed:
    """The skeleton of a scene with its animation, at ``fps`` or the frame rate of its keyframes.

    A node comes after its parent. Nodes that are neither joints nor carry any are left out, if
    there are joints at all. Scales of nodes go into the places of those that they carry.

    Raises:
        InputError: no node moves.
    """
    keyframes = [keys[0] for node in nodes for keys in (node.turns, node.places) if keys]
    moving = [times for times in keyframes if len(times) > 2]
    if not moving:
        raise InputError("holds no animation of a skeleton")
    fps, times = _frames(moving, fps)
    kept = _skeleton(nodes)
    check_size(len(kept), len(times))
    scales: dict[int, float] = {-1: 1.0}
    for i, node in enumerate(nodes):
        scales[i] = scales[node.parent] * node.scale
    row = {old: new for new, old in enumerate(kept)}
    chosen = [nodes[i] for i in kept]
    size = np.array([scales[node.parent] for node in chosen])
    turns = np.stack([_sampled_turns(node, times) for node in chosen])
    places = np.stack([_sampled_places(node, times) for node in chosen]) * size[:, None, None]
    return Keyed(
        tuple(node.name for node in chosen),
        tuple(row.get(node.parent, -1) for node in chosen),
        np.array([node.place for node in chosen]) * size[:, None],
        np.array([node.turn for node in chosen]),
        turns,
        places,
        fps,
        tuple(warnings),
    )


def _frames(keyframes: Sequence[np.ndarray], stated: float | None) -> tuple[float, np.ndarray]:
    """Frame rate and times of frames, by the usual step between keyframes of most channels."""
    step = float(np.median([np.median(np.diff(times)) for times in keyframes]))
    first, last = min(t[0] for t in keyframes), max(t[-1] for t in keyframes)
    if not step >= 1 / _MAX_FPS:
        step = 1 / _MAX_FPS
    fps = 1 / step
    fps = float(round(fps)) if abs(fps - round(fps)) < 0.01 * fps and fps > 5 else fps
    # Keyframes of a pose each second or so are drawn together, not frames.
    fps = stated or (fps if fps > 5 else 30.0)
    check_size(0, int(min((last - first) * fps, 1e12)))
    return fps, first + np.arange(int((last - first) * fps + 1.001)) / fps


def _skeleton(nodes: Sequence[Node]) -> list[int]:
    """Joints and all that carry them."""
    kept: set[int] = set()
    for i, node in enumerate(nodes):
        at = i if node.is_joint else -1
        while at >= 0 and at not in kept:
            kept.add(at)
            at = nodes[at].parent
    return sorted(kept) if kept else list(range(len(nodes)))


def _sampled_places(node: Node, times: np.ndarray) -> Float[np.ndarray, "frames 3"]:
    if node.places is None:
        return np.tile(node.place, (len(times), 1))
    at, values = node.places
    return np.stack([np.interp(times, at, values[:, axis]) for axis in range(3)], axis=-1)


def _sampled_turns(node: Node, times: np.ndarray) -> Float[np.ndarray, "frames 4"]:
    """Rotations between keyframes, linear and made unit again: keyframes are near each other."""
    if node.turns is None:
        return np.tile(node.turn, (len(times), 1))
    at, values = node.turns
    flips = (values[1:] * values[:-1]).sum(axis=-1) < 0
    signs = np.concatenate([[1.0], np.where(np.cumsum(flips) % 2, -1.0, 1.0)])
    values = values * signs[:, None]
    turns = np.stack([np.interp(times, at, values[:, axis]) for axis in range(4)], axis=-1)
    return turns / np.maximum(np.linalg.norm(turns, axis=-1, keepdims=True), 1e-12)
