"""Actions in a row: one person performs up to three of them, with short pauses in between."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import gaussian_filter1d

from tmr.motion.skeleton import FPS
from tmr.synthetic.actions import ACTIONS, perform
from tmr.synthetic.body import INDEX, Track, about_y, solve
from tmr.synthetic.clip_builder import Actor, Spec, Style, Take

_PLACE = [INDEX[name] for name in ("x", "z", "heading")]
# Channels that wander a little while a person stands: size in radians or meters.
_WANDER = {
    "shift": 0.008, "ahead": 0.008, "turn": 0.012, "bend": 0.014, "tilt": 0.01, "twist": 0.012,
    "nod": 0.025, "look": 0.04, "cock": 0.018, "left_flex": 0.03, "right_flex": 0.03,
    "left_abduct": 0.02, "right_abduct": 0.02, "left_elbow": 0.04, "right_elbow": 0.04,
}  # fmt: skip


@dataclass(frozen=True)
class Motion:
    """A finished motion: joints, 20 frames a second, and when each of its actions takes place."""

    joints: Float[np.ndarray, "frames 22 3"]
    planted: Bool[np.ndarray, "frames 2"]  # left, right foot stands still on the floor
    segments: tuple[tuple[float, float], ...]  # start and end of each action, seconds

    @property
    def duration(self) -> float:
        """Seconds from the first frame to the last."""
        return (len(self.joints) - 1) / FPS


def animate(
    composition: tuple[Spec, ...],
    rng: np.random.Generator,
    min_seconds: float = 2.0,
    max_seconds: float = 10.0,
    draw_style: Callable[[np.random.Generator], Style] = Style.draw,
) -> Motion:
    """A person, drawn from ``rng``, who performs the actions of ``composition`` in turn.

    The motion starts at the origin, facing +Z. It is performed faster when it would be longer
    than ``max_seconds``; a person who is done too early stands still until ``min_seconds``.
    """
    style = draw_style(rng)
    for _ in range(20):
        takes = [perform(Actor(style, rng, spec)) for spec in composition]
        spare = max_seconds - sum(take.seconds + 1 / FPS for take in takes)
        if spare >= 0:
            break
        style = replace(style, pace=0.95 * style.pace)
    else:
        raise ValueError(f"{composition} cannot be done in {max_seconds} seconds")
    pauses = np.minimum(rng.exponential(0.35, len(takes) + 1) + 0.05, 2.0)
    pauses = np.minimum(pauses, spare / len(pauses))
    missing = min_seconds - max_seconds + spare + 2 / FPS - pauses.sum()
    if missing > 0:
        share = rng.uniform(0.3, 0.7)
        pauses[0] += share * missing
        pauses[-1] += (1 - share) * missing
    # Counted in frames so that rounding can neither pass the longest nor miss the shortest time.
    holds = (
        np.floor(pauses * FPS).astype(int) if missing <= 0 else np.ceil(pauses * FPS).astype(int)
    )
    track, segments = _chain(takes, [int(hold) for hold in holds])
    _live(track, style, rng)
    first, end = _seen(composition, segments, len(track), min_seconds, rng)
    joints = solve(replace(track, build=style.build))[first:end]
    joints = joints - np.array([joints[0, 0, 0], 0.0, joints[0, 0, 2]])
    last = (end - first - 1) / FPS
    told = ((a - first / FPS, b - first / FPS) for a, b in segments)
    return Motion(
        joints, track.planted[first:end], tuple((max(a, 0.0), min(b, last)) for a, b in told)
    )


def _seen(
    composition: tuple[Spec, ...],
    segments: tuple[tuple[float, float], ...],
    frames: int,
    min_seconds: float,
    rng: np.random.Generator,
) -> tuple[int, int]:
    """First frame and end of what the camera sees: half of the walks are under way at either."""
    shortest = min_seconds * FPS + 1
    missed = _missed(composition[0], segments[0], False, rng)
    first = round((segments[0][0] + missed) * FPS)
    if not missed or frames - first <= shortest:
        first = 0
    missed = _missed(composition[-1], segments[-1], True, rng)
    end = round((segments[-1][1] - missed) * FPS)
    if not missed or end - first <= shortest:
        end = frames
    return first, end


def _missed(spec: Spec, segment: tuple[float, float], end: bool, rng: np.random.Generator) -> float:
    """Seconds of an action at one end of a motion that are not filmed, mostly none."""
    seconds = rng.uniform(0.1, 0.3) * (segment[1] - segment[0]) if rng.random() < 0.5 else 0.0
    return seconds if ACTIONS[spec.action].may_be_cut(spec, end) else 0.0


@cache
def usual_seconds(spec: Spec) -> float:
    """About how long one action takes, without pauses."""
    rng = np.random.default_rng(0)
    return perform(Actor(replace(Style.draw(rng), pace=1.0), rng, spec)).seconds


def _chain(takes: list[Take], holds: list[int]) -> tuple[Track, tuple[tuple[float, float], ...]]:
    parts: list[Track] = []
    segments = []
    place, frames = np.zeros(3), 0
    for i, take in enumerate(takes):
        _soften(take.track)
        _moved(take.track, place)
        place = take.track.channels[-1, _PLACE]
        if i == 0 and holds[0]:
            parts.append(_held(take.track, 0, holds[0]))
            frames += holds[0]
        segments.append((frames / FPS, (frames + len(take.track) - 1) / FPS))
        parts.append(take.track)
        frames += len(take.track)
        if holds[i + 1]:
            parts.append(_held(take.track, -1, holds[i + 1]))
            frames += holds[i + 1]

    def joined(name: str) -> np.ndarray:
        return np.concatenate([getattr(part, name) for part in parts])

    track = Track(
        joined("channels"), joined("toes"), joined("yaw"), joined("pitch"), joined("planted")
    )
    return track, tuple(segments)


def _soften(track: Track) -> None:
    """Round the corners of the posture; feet and jumps keep theirs."""
    keep = {"x", "z", "heading", "height"}
    columns = [i for name, i in INDEX.items() if name not in keep]
    track.channels[:, columns] = gaussian_filter1d(
        track.channels[:, columns], 1.0, axis=0, mode="nearest"
    )


def _moved(track: Track, place: Float[np.ndarray, "3"]) -> None:
    """Carry a track that starts at the origin to where the last one ended."""
    x, z, heading = place
    turn = about_y(np.array([heading]))[0]
    floor = np.array([x, 0.0, z])
    here = np.stack([track["x"], np.zeros(len(track)), track["z"]], axis=-1) @ turn.T + floor
    track["x"][:], track["z"][:] = here[:, 0], here[:, 2]
    track["heading"][:] += heading
    track.toes[:] = track.toes @ turn.T + floor
    track.yaw[:] += heading


def _held(track: Track, frame: int, frames: int) -> Track:
    """One frame of a track, repeated."""

    def still(rows: np.ndarray) -> np.ndarray:
        return np.repeat(rows[frame][None], frames, axis=0)

    return Track(
        still(track.channels),
        still(track.toes),
        still(track.yaw),
        still(track.pitch),
        np.ones((frames, 2), dtype=bool),
    )


def _live(track: Track, style: Style, rng: np.random.Generator) -> None:
    """Add what nobody plans: the weight over the standing foot, breath, a wandering posture,
    bent knees and bouncing while the body is not low already."""
    t = np.arange(len(track)) / FPS
    size, rate = style.rhythm
    lower = style.knees + size * (1 - np.cos(2 * np.pi * rate * t + rng.uniform(0, 2 * np.pi)))
    track["height"][:] -= lower * np.clip(1 + track["height"] / 0.3, 0, 1)
    restless = np.exp(rng.normal(0.5, 0.7))
    for name, size in _WANDER.items():
        for _ in range(2):
            rate, phase = rng.uniform(0.08, 0.8), rng.uniform(0, 2 * np.pi)
            wander = np.sin(2 * np.pi * rate * t + phase)
            track[name][:] += 0.6 * restless * size * rng.normal() * wander
    breath = np.sin(2 * np.pi * rng.uniform(0.22, 0.32) * t + rng.uniform(0, 2 * np.pi))
    track["bend"][:] += np.radians(-0.7) * breath
    for side in ("left", "right"):
        track[f"{side}_shrug"][:] += np.radians(0.9) * breath
    track.planted &= np.stack([track["left_free"], track["right_free"]], axis=-1) < 1e-3
    weight = track["right_free"] - track["left_free"]
    weight = gaussian_filter1d(np.clip(weight, -1, 1), 3.0, mode="nearest")
    track["shift"][:] += 0.075 * weight
    track["roll"][:] -= np.radians(2.5) * weight
    track["tilt"][:] += np.radians(3.5) * weight
