"""Animated skeletons as files have them: joints in a tree, each placed and turned by its parent."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from tmr.errors import InputError
from tmr.motion import rotations

MAX_JOINTS = 10_000  # a body with fingers, face and hair has a few hundred
MAX_FRAMES = 1_000_000  # more than two hours at 120 frames a second
_CHUNK_FRAMES = 2048  # so that memory does not grow with the length of a file


@runtime_checkable
class Animation(Protocol):
    """What a reader of animation files returns, in the file's own units and axes.

    A joint comes after its parent; the parent of a root is -1. A point that carries no motion of
    its own, such as an End Site of a BVH file, has no name (""). At rest a joint is at ``offsets``
    from its parent and turned by ``rest_turns`` against it.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the joints; "" for a point that carries no motion."""
        ...

    @property
    def parents(self) -> tuple[int, ...]:
        """Parents of the joints; -1 for a root."""
        ...

    @property
    def offsets(self) -> Float[np.ndarray, "joints 3"]:
        """Places against the parents at rest."""
        ...

    @property
    def rest_turns(self) -> Float[np.ndarray, "joints 4"]:
        """Rotations against the parents at rest."""
        ...

    @property
    def fps(self) -> float | None:
        """Frames a second, None where the file does not state them."""
        ...

    @property
    def num_frames(self) -> int:
        """Frames of the animation."""
        ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """What had to be guessed or left out, each as one line."""
        ...

    def local(
        self, joints: Sequence[int], frames: slice
    ) -> tuple[Float[np.ndarray, "joints frames 4"], Float[np.ndarray, "joints frames 3"]]:
        """Rotation and place of joints against their parents."""
        ...


@dataclass(frozen=True, slots=True)
class Point:
    """A point that a file lacks: at ``offset`` from a joint, in the joint's own axes."""

    joint: int
    offset: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Keyed:
    """An animation whose rotations and places are arrays, a row a frame."""

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Float[np.ndarray, "joints 3"]
    rest_turns: Float[np.ndarray, "joints 4"]
    turns: Float[np.ndarray, "joints frames 4"]
    places: Float[np.ndarray, "joints frames 3"]
    fps: float | None
    warnings: tuple[str, ...] = ()

    @property
    def num_frames(self) -> int:
        """Frames of the animation."""
        return self.turns.shape[1]

    def local(
        self, joints: Sequence[int], frames: slice
    ) -> tuple[Float[np.ndarray, "joints frames 4"], Float[np.ndarray, "joints frames 3"]]:
        """Rotation and place of joints against their parents."""
        chosen = np.asarray(joints)
        return self.turns[chosen][:, frames], self.places[chosen][:, frames]


def check_size(joints: int, frames: int) -> None:
    """Check the size of an animation before arrays are made for it.

    Raises:
        InputError: more joints or frames than any body or recording has.
    """
    if joints > MAX_JOINTS:
        raise InputError(f"found more than {MAX_JOINTS:,} joints, expected the skeleton of a body")
    if frames > MAX_FRAMES:
        raise InputError(f"found {frames:,} frames, expected at most {MAX_FRAMES:,}: cut the take")


def world_positions(
    animation: Animation,
    points: Sequence[int],
    added: Sequence[Point] = (),
    first: int = 0,
    step: int = 1,
) -> Float[np.ndarray, "frames points 3"]:
    """Positions of points in the world, from frame ``first`` on, every ``step``-th frame.

    ``points`` are joints, or count on behind the last joint through ``added``.
    """
    frames = range(first, animation.num_frames, step)
    positions = np.empty((len(frames), len(points), 3))
    kept = _with_ancestors(animation, points, added)
    for start in range(0, len(frames), _CHUNK_FRAMES):
        part = frames[start : start + _CHUNK_FRAMES]
        span = slice(part.start, part.stop, part.step)
        turns, places = animation.local([j for j in kept if j < len(animation.names)], span)
        places = _with_points(places, added, kept, animation)
        whole = _forward_kinematics(animation, kept, turns, places, added)
        positions[start : start + len(part)] = whole[_rows(kept, points)].swapaxes(0, 1)
    return positions


def rest_pose(
    animation: Animation,
) -> tuple[Float[np.ndarray, "joints 3"], Float[np.ndarray, "joints 4"]]:
    """Positions of all joints at rest, and their rotations against the world."""
    places, turns = animation.offsets[:, None].copy(), animation.rest_turns[:, None].copy()
    whole = _forward_kinematics(animation, range(len(animation.names)), turns, places, ())
    return whole[:, 0], turns[:, 0]


def starts_at_rest(animation: Animation, joints: Sequence[int]) -> bool:
    """Whether the first frame is the rest pose, from which the second one leaps away.

    Some collections put a T-pose before the motion. A leap is a step greater than half as much
    again as nearly all others.
    """
    if animation.num_frames < 4:
        return False
    first, _ = animation.local(joints, slice(0, 1))
    from_rest = _angles(first[:, 0], animation.rest_turns[np.asarray(joints)])
    if np.median(from_rest) > np.deg2rad(0.1):
        return False
    turns, _ = animation.local(joints, slice(0, 600))
    steps = _angles(turns[:, 1:], turns[:, :-1]).mean(axis=0)
    return bool(steps[0] > max(1.5 * np.percentile(steps[1:], 95), np.deg2rad(1)))


def _angles(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The angle of the rotation between quaternions, from the part that is exact near zero."""
    between = rotations.multiply(rotations.inverse(a), b)
    return 2 * np.arctan2(np.linalg.norm(between[..., 1:], axis=-1), np.abs(between[..., 0]))


def _with_ancestors(
    animation: Animation, points: Sequence[int], added: Sequence[Point]
) -> list[int]:
    kept: set[int] = set()
    for point in points:
        at = point
        while at >= 0 and at not in kept:
            kept.add(at)
            at = _parent(animation, at, added)
    return sorted(kept)


def _parent(animation: Animation, point: int, added: Sequence[Point]) -> int:
    count = len(animation.names)
    return animation.parents[point] if point < count else added[point - count].joint


def _with_points(
    places: Float[np.ndarray, "joints frames 3"],
    added: Sequence[Point],
    kept: Sequence[int],
    animation: Animation,
) -> Float[np.ndarray, "points frames 3"]:
    count = len(animation.names)
    extra = [np.array(added[j - count].offset) for j in kept if j >= count]
    if not extra:
        return places
    rows = np.repeat(np.array(extra)[:, None], places.shape[1], axis=1)
    return np.concatenate([places, rows])


def _forward_kinematics(
    animation: Animation,
    kept: Sequence[int],
    turns: Float[np.ndarray, "joints frames 4"],
    places: Float[np.ndarray, "points frames 3"],
    added: Sequence[Point],
) -> Float[np.ndarray, "points frames 3"]:
    """Positions in the world, in place of ``places``; ``turns`` become rotations in the world."""
    for rows, parents in _levels(animation, kept, added):
        whole = turns[parents]
        places[rows] = places[parents] + rotations.rotate(whole, places[rows])
        inner = [i for i, row in enumerate(rows) if row < len(turns)]
        if inner:
            joints = [rows[i] for i in inner]
            turns[joints] = rotations.multiply(whole[inner], turns[joints])
    return places


def _levels(
    animation: Animation, kept: Sequence[int], added: Sequence[Point]
) -> Iterator[tuple[list[int], list[int]]]:
    """(rows, rows of their parents) at every depth below the roots."""
    row = {point: i for i, point in enumerate(kept)}
    depth: dict[int, int] = {}
    levels: dict[int, tuple[list[int], list[int]]] = {}
    for point in kept:
        parent = _parent(animation, point, added)
        depth[point] = 0 if parent < 0 else depth[parent] + 1
        if parent >= 0:
            rows, parents = levels.setdefault(depth[point], ([], []))
            rows.append(row[point])
            parents.append(row[parent])
    return (levels[d] for d in sorted(levels))


def _rows(kept: Sequence[int], points: Sequence[int]) -> list[int]:
    row = {point: i for i, point in enumerate(kept)}
    return [row[point] for point in points]
