"""The tools that actions are written with: eased key poses, steps, walks and jumps."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d

from tmr.motion.skeleton import FPS
from tmr.synthetic.body import CHANNELS, INDEX, SIDES, Build, Track, about_y
from tmr.text.left_right import swap_sides

Number = float | int
Pose = Mapping[str, Number]  # channel to value, in degrees and meters; what is missing is at rest
Place = tuple[float, float, float]  # x and z in meters, heading in radians

_METERS = {"x", "z", "shift", "height", "ahead", "left_free", "right_free"}
_UNIT = np.array([1.0 if name in _METERS else np.pi / 180 for name in CHANNELS])
REST: Pose = {}
_PACE = {"slow": 1.4, "": 0.92, "fast": 0.66}
_WALKING_PACE = {"slow": 1.35, "": 1.0, "fast": 0.8}
_SIZE = {"small": 0.55, "": 1.0, "big": 1.35}
_GRAVITY = 9.81
_BALL_AHEAD = 0.11  # the ball of a foot at rest, in front of the pelvis


@dataclass(frozen=True)
class Spec:
    """One action and its attributes; an empty attribute is one that the caption does not tell."""

    action: str
    side: str = ""
    direction: str = ""
    count: int = 0
    tempo: str = ""
    amplitude: str = ""
    carry: str = ""

    def mirrored(self) -> "Spec":
        """The same action seen in a mirror: left and right swapped in every attribute."""
        return replace(
            self,
            side=swap_sides(self.side),
            direction=swap_sides(self.direction),
            carry=swap_sides(self.carry),
        )


@dataclass(frozen=True)
class Style:
    """How one person stands and moves; drawn once for each motion."""

    build: Build
    pace: float  # seconds of every action are times this
    size: float  # angles of every gesture are times this
    stance: float  # half the distance between the feet, meters
    toes_out: float  # radians
    arms: tuple[Pose, Pose]  # at rest, left and right
    posture: float  # forward bend of the spine at rest, degrees
    bowed: float  # forward bend of the head beyond what keeps the eyes ahead, degrees
    swing: float  # arm swing of walks, share of the usual
    bounce: float  # rise and fall of walks, share of the usual
    gait: tuple[float, float, float, float]  # added to lean, elbow (degrees), crouch, lift (meters)
    turning: tuple[float, float]  # twist and sway of walks, share of the usual
    drift: float  # by which a walk straight ahead misses its heading, radians
    knees: float  # by which bent knees lower the body, meters
    rhythm: tuple[float, float]  # bouncing: meters, and times a second

    @staticmethod
    def draw(rng: np.random.Generator, variety: float = 1.0) -> "Style":
        """A random person: stooped or upright, stiff or loose, of small or large movements.

        By a ``variety`` of 1, one of three stands or moves in a manner of their own: bent, arms
        held away or in front of the body, knees bent, never quite still, slow or quick; bodies
        differ, and walks miss their heading. By 0, none of this.
        """
        manner = rng.random(6) < 0.3 * variety
        arms = _arms_at_rest(rng, bool(manner[0]))
        return Style(
            build=Build.draw(rng, variety),
            pace=float(
                rng.uniform(0.75, 1.4) if manner[5] else np.clip(rng.normal(1, 0.1), 0.8, 1.25)
            ),
            size=float(np.clip(rng.normal(1, 0.12), 0.75, 1.3)),
            stance=float(rng.uniform(0.08, 0.18 if manner[1] else 0.125)),
            toes_out=float(np.radians(rng.uniform(0, 17))),
            arms=arms,
            posture=float(rng.normal(2, 4.5) + (rng.uniform(0, 28) if manner[2] else 0)),
            bowed=float(rng.uniform(-8, 25) if manner[2] else 0),
            swing=float(rng.uniform(0.45, 1.5)),
            bounce=float(rng.uniform(0.6, 1.5)),
            gait=(
                float(rng.normal(0, 3)),
                float(rng.uniform(-6, 26)),
                float(rng.uniform(-0.01, 0.025)),
                float(rng.uniform(-0.02, 0.03)),
            ),
            turning=(float(rng.uniform(0.4, 1.7)), float(rng.uniform(0.6, 1.7))),
            drift=float(np.radians(variety * np.clip(rng.normal(0, 7), -16, 16))),
            knees=float(rng.uniform(0, 0.08) if manner[3] else 0),
            rhythm=(
                float(rng.uniform(0.005, 0.03) if manner[4] else 0),
                float(rng.uniform(0.8, 2.4)),
            ),
        )

    def walking(self, gait: "Gait") -> "Gait":
        """The gait as this person has it."""
        lean, elbow, crouch, lift = self.gait
        twist, sway = self.turning
        return replace(
            gait,
            lean=gait.lean + lean,
            elbow=max(gait.elbow + elbow, 4.0),
            crouch=max(gait.crouch + crouch, 0.005),
            lift=max(gait.lift + lift, 0.04),
            twist=gait.twist * twist,
            sway=gait.sway * sway,
            swing=gait.swing * self.swing,
            bob=gait.bob * self.bounce,
        )

    def rest(self) -> Float[np.ndarray, " channels"]:
        """The channels of this person standing still."""
        trunk = {"bend": self.posture, "nod": self.bowed - 0.7 * self.posture}
        return values(trunk | dict(self.arms[0]) | dict(self.arms[1]))


def _arms_at_rest(rng: np.random.Generator, held: bool) -> tuple[Pose, Pose]:
    """Both arms of a person who does nothing: hanging, or ``held`` away from the body or bent."""
    usual = np.array([rng.uniform(-6, 10), rng.uniform(6, 20), rng.uniform(5, 40),
                      rng.uniform(8, 36)])  # fmt: skip
    lifted = np.array([rng.uniform(-10, 35), rng.uniform(0, 30), rng.uniform(0, 30),
                       rng.uniform(0, 75)])  # fmt: skip
    which = rng.permutation([1.0, float(rng.random() < 0.7)]) if held else np.zeros(2)
    names = ("flex", "abduct", "inward", "elbow")
    left, right = (
        arm(side, **dict(zip(names, usual + share * lifted + rng.normal(0, 3, 4), strict=True)))
        for side, share in zip(SIDES, which, strict=True)
    )
    return left, right


def values(pose: Pose) -> Float[np.ndarray, " channels"]:
    """The pose as a row of channels, in radians and meters; zero where it says nothing."""
    row = np.zeros(len(CHANNELS))
    for name, value in pose.items():
        row[INDEX[name]] = value
    return row * _UNIT


def arm(side: str, **angles: Number) -> dict[str, Number]:
    """Arm angles of one side, or of ``both``."""
    return {f"{one}_{name}": v for one in both(side) for name, v in angles.items()}


def leg(side: str, **angles: Number) -> dict[str, Number]:
    """Angles of a leg that is lifted from the floor."""
    return {f"{side}_free": 1.0} | {f"{side}_{name}": v for name, v in angles.items()}


def both(side: str) -> tuple[str, ...]:
    """The sides that the word names."""
    return SIDES if side == "both" else (side,)


def other(side: str) -> str:
    """The opposite side."""
    return SIDES[1 - SIDES.index(side)]


def reach(
    side: str,
    target: tuple[float, float, float],
    elbow: tuple[float, float, float] = (0.5, -1.0, -0.3),
) -> dict[str, Number]:
    """Arm angles that bring the wrist to ``target``, the elbow on the side of ``elbow``.

    Both are seen from the shoulder: outwards, up, forward, in meters.
    """
    upper, lower = 0.26, 0.268
    goal = np.array(target, dtype=float)
    distance = np.clip(np.linalg.norm(goal), 0.12, upper + lower - 0.005)
    toward = goal / np.linalg.norm(goal)
    pole = np.array(elbow, dtype=float)
    pole = pole - (pole @ toward) * toward
    along = (distance**2 + upper**2 - lower**2) / (2 * distance)
    joint = along * toward + np.sqrt(upper**2 - along**2) * pole / np.linalg.norm(pole)
    x, y, z = joint / upper
    abduct, flex = np.arcsin(np.clip(x, -1, 1)), np.arctan2(z, -y)
    fore = (distance * toward - joint) / lower
    cos, sin = np.cos(flex), np.sin(flex)
    fore = np.array([fore[0], cos * fore[1] - sin * fore[2], sin * fore[1] + cos * fore[2]])
    cos, sin = np.cos(abduct), np.sin(abduct)
    fore = np.array([cos * fore[0] + sin * fore[1], -sin * fore[0] + cos * fore[1], fore[2]])
    angles = {
        "flex": flex,
        "abduct": abduct,
        "inward": np.arctan2(-fore[0], fore[2]),
        "elbow": np.arccos(np.clip(-fore[1], -1, 1)),
    }
    return arm(side, **{name: float(np.degrees(angle)) for name, angle in angles.items()})


def ease(u: Float[np.ndarray, " frames"]) -> Float[np.ndarray, " frames"]:
    """Minimum-jerk course from 0 at u = 0 to 1 at u = 1 (Flash and Hogan, 1985)."""
    u = np.clip(u, 0, 1)
    return u**3 * (10 - 15 * u + 6 * u**2)


def _swing(u: Float[np.ndarray, " frames"]) -> Float[np.ndarray, " frames"]:
    """Course of a swinging foot: slower at its fastest than `ease`."""
    u = np.clip(u, 0, 1)
    return 0.6 * u * u * (3 - 2 * u) + 0.4 * ease(u)


class Take:
    """One action being filmed: starts at the origin, facing +Z, at rest on both feet."""

    def __init__(self, seconds: float, style: Style) -> None:
        frames = max(2, round(seconds * FPS) + 1)
        self.style = style
        self.t = np.arange(frames) / FPS
        self.rest = style.rest()
        zeros = np.zeros((frames, 2))
        self.track = Track(
            np.tile(self.rest, (frames, 1)),
            np.zeros((frames, 2, 3)),
            zeros.copy(),
            zeros.copy(),
            np.ones((frames, 2), dtype=bool),
        )
        for foot in range(2):
            toe, yaw = self.footing(foot, (0.0, 0.0, 0.0))
            self.track.toes[:, foot], self.track.yaw[:, foot] = toe, yaw

    @property
    def seconds(self) -> float:
        """Time of the last frame."""
        return float(self.t[-1])

    def footing(
        self, foot: int, place: Place, aside: float = 0.0, ahead: float = 0.0
    ) -> tuple[Float[np.ndarray, "3"], float]:
        """Ball and heading of a foot of a person who stands at ``place``, moved by the offsets."""
        x, z, heading = place
        sign = 1 - 2 * foot
        local = np.array([sign * self.style.stance + aside, 0.0, _BALL_AHEAD + ahead])
        ball = (about_y(np.array([heading])) @ local)[0] + np.array([x, 0.0, z])
        return ball, heading + sign * self.style.toes_out

    def poses(self, keys: Sequence[tuple[float, Pose]]) -> None:
        """Course through key poses at the given seconds, at rest before, eased in between.

        Only the channels that some key names are set.
        """
        names = {name for _, pose in keys for name in pose}
        columns = [INDEX[name] for name in sorted(names)]
        given = np.array([[name in pose for name in sorted(names)] for _, pose in keys])
        rows = np.array([values(pose)[columns] for _, pose in keys])
        rows = np.where(given, rows, self.rest[columns])
        if not keys or keys[0][0] > 0:
            keys = [(0.0, REST), *keys]
            rows = np.vstack([self.rest[columns], rows])
        times = np.array([second for second, _ in keys])
        course = np.tile(rows[0], (len(self.t), 1))
        for i in range(1, len(times)):
            share = ease((self.t - times[i - 1]) / (times[i] - times[i - 1]))
            course += share[:, None] * (rows[i] - rows[i - 1])
        self.track.channels[:, columns] = course

    def add(self, name: str, course: Float[np.ndarray, " frames"]) -> None:
        """Add a course to a channel, in radians or meters."""
        self.track.channels[:, INDEX[name]] += course

    def step(
        self,
        foot: int,
        start: float,
        end: float,
        ball: Float[np.ndarray, "3"],
        yaw: float,
        lift: Number = 0.06,
        off: Number = 28.0,
        land: Number = -10.0,
        stay: Number = 0.0,
    ) -> None:
        """Swing a foot to a new place between two seconds; it stays there afterwards.

        The heel is ``off`` degrees up when the foot leaves, lands at ``land`` and ends at ``stay``.
        """
        track, t = self.track, self.t
        u = (t - start) / (end - start)
        share = _swing(u)
        rise = 16 * np.clip(u, 0, 1) ** 2 * (1 - np.clip(u, 0, 1)) ** 2
        origin = track.toes[-1, foot].copy()
        turned = float(track.yaw[-1, foot])
        track.toes[:, foot] += share[:, None] * (ball - origin)
        track.toes[:, foot, 1] += lift * rise
        track.yaw[:, foot] += share * (yaw - turned)
        before, after = min(0.16, 0.6 * (end - start)), 0.14
        held = float(track.pitch[-1, foot])
        off, land, stay = np.radians([off, land, stay])
        track.pitch[:, foot] += ease((t - start + before) / before) * (off - held)
        track.pitch[:, foot] += ease((t - start) / (end - start)) * (land - off)
        track.pitch[:, foot] += ease((t - end) / after) * (stay - land)
        track.planted[(t > start) & (t < end), foot] = False

    def move(self, path: Sequence[tuple[float, Place]]) -> None:
        """Course of the person over the floor through places at the given seconds, eased."""
        here = (0.0, 0.0, 0.0)
        begin = 0.0
        for second, place in path:
            share = ease((self.t - begin) / (second - begin))
            for name, a, b in zip(("x", "z", "heading"), here, place, strict=True):
                self.add(name, share * (b - a))
            begin, here = second, place

    def jump(
        self,
        start: float,
        height: float,
        place: Place = (0.0, 0.0, 0.0),
        crouch: float = 0.2,
        feet: Sequence[int] = (0, 1),
        spread: tuple[float, float] = (0.0, 0.0),
        quick: float = 1.0,
        tuck: float = 0.0,
        last: bool = True,
    ) -> tuple[float, float, float]:
        """Crouch, fly along a parabola to ``place`` and land; returns take-off, landing and end.

        ``height`` is that of the pelvis over its height when the toes leave the floor. ``spread``
        moves the feet (left, right) to the left at landing. After the ``last`` jump the person
        rises to the standing height; otherwise the landing is the next crouch.
        """
        track, t = self.track, self.t
        speed = np.sqrt(2 * _GRAVITY * height)
        air = 2 * speed / _GRAVITY
        down, push, give, rise = 0.32 * quick, 0.19, 0.19, 0.42 * quick
        sunk = float(track["height"][-1])
        if sunk < -0.05:
            down = 0.05
        top = 0.07  # up on the toes
        off = start + down + push
        hit = off + air
        low = hit + give
        end = low + (rise if last else 0.0)
        column = track["height"]
        flying = (t > off) & (t < hit)
        parabola = np.where(flying, speed * (t - off) - _GRAVITY / 2 * (t - off) ** 2, 0.0)
        bottom = -crouch if sunk > -0.05 else min(sunk, -crouch)
        course = sunk + ease((t - start) / down) * (bottom - sunk)
        course = np.where(
            t > start + down, _hermite(t, start + down, off, bottom, top, 0.0, speed), course
        )
        course = np.where(flying, top + parabola, course)
        soft = -0.8 * crouch
        course = np.where(t >= hit, _hermite(t, hit, low, top, soft, -speed, 0.0), course)
        final = 0.0 if last else soft
        course = np.where(t > low, soft + ease((t - low) / rise) * (final - soft), course)
        column[:] = np.where(t > start, course, column)
        lean = np.interp(t, [start, start + down, off, hit, low, low + rise], [0, 1, 0, 0, 0.8, 0])
        lean = gaussian_filter1d(lean, 1.5) * crouch
        self.add("pitch", 1.1 * lean)
        self.add("bend", 0.7 * lean)
        self.add("ahead", -0.35 * lean)

        ramp = np.interp(t, [off - push, off, hit, hit + give], [0.0, 1.0, 1.0, 0.0])
        ramp[(t < off - push) | (t > hit + give)] = 0.0
        moved = np.cumsum(ramp) / max(ramp.sum(), 1e-9)
        for name, goal in zip(("x", "z", "heading"), place, strict=True):
            self.add(name, moved * (goal - track[name][-1]))
        going = ease((t - off) / air)
        for foot in feet:
            ball, yaw = self.footing(foot, place, aside=spread[foot])
            self.track.toes[:, foot] += going[:, None] * (ball - track.toes[-1, foot])
            self.track.toes[:, foot, 1] += parabola + tuck * np.sin(np.pi * going) ** 2
            self.track.yaw[:, foot] += going * (yaw - track.yaw[-1, foot])
            pointed = np.interp(
                t, [off - push, off, off + 0.3 * air, hit, hit + 0.12], [0, 40, 30, 22, 0]
            )
            self.track.pitch[:, foot] += np.radians(gaussian_filter1d(pointed, 0.7))
            self.track.planted[(t > off) & (t < hit), foot] = False
        return off, hit, end


def _hermite(t, begin, end, a, b, speed_a, speed_b) -> Float[np.ndarray, " frames"]:
    span = end - begin
    u = np.clip((t - begin) / span, 0, 1)
    return (
        (2 * u**3 - 3 * u**2 + 1) * a
        + (u**3 - 2 * u**2 + u) * span * speed_a
        + (3 * u**2 - 2 * u**3) * b
        + (u**3 - u**2) * span * speed_b
    )


@dataclass(frozen=True)
class Gait:
    """How a walk looks; angles in degrees, lengths in meters."""

    stride: float = 0.62  # from one footprint to the next
    seconds: float = 0.54  # from one landing to the next
    air: float = 0.76  # share of that time that the foot swings; above 1 both feet fly in between
    lift: float = 0.07
    swing: float = 24.0  # of the arms
    elbow: float = 14.0
    bob: float = 0.018
    sway: float = 0.022
    lean: float = 2.0
    crouch: float = 0.02
    tiptoe: float = 0.0
    knees: float = 0.0  # thigh of the swinging leg, lifted as in a march
    twist: float = 6.0
    limp: str = ""  # the weak side


@dataclass(frozen=True)
class Actor:
    """Who performs an action, and how fast and large."""

    style: Style
    rng: np.random.Generator
    spec: Spec

    @property
    def pace(self) -> float:
        """Seconds of the action, relative to the usual ones."""
        return _PACE[self.spec.tempo] * self.style.pace

    @property
    def size(self) -> float:
        """Size of the movement, relative to the usual one."""
        return _SIZE[self.spec.amplitude] * self.style.size

    def jitter(self, share: float = 0.08) -> float:
        """A random factor around 1."""
        return float(np.clip(self.rng.normal(1, share), 1 - 2 * share, 1 + 2 * share))

    def take(self, seconds: float) -> Take:
        """An empty take of this length."""
        return Take(seconds, self.style)

    def course(self, phases: Sequence[tuple[float, Pose]]) -> list[tuple[float, Pose]]:
        """Key poses from phases: seconds taken at this pace (each a little different), and pose."""
        keys, now = [], 0.0
        for seconds, pose in phases:
            now += max(seconds * self.pace * self.jitter(), 0.12)
            keys.append((now, pose))
        return keys

    def perform(self, phases: Sequence[tuple[float, Pose]]) -> Take:
        """A take of key poses, each reached in its seconds."""
        keys = self.course(phases)
        take = self.take(keys[-1][0])
        take.poses(keys)
        return take

    def stroke(
        self, ready: tuple[float, Pose], strokes: Sequence[tuple[float, Pose]], back: float
    ) -> Take:
        """Get ready, repeat the strokes as often as the spec counts, and come back to rest."""
        times = max(self.spec.count, 1)
        return self.perform([ready, *(list(strokes) * times), (back, REST)])

    def walk(
        self, steps: int, gait: Gait, path: Callable[[float], Place], first: int | None = None
    ) -> Take:
        """Walk along ``path`` (share of the way to place) and end on both feet.

        Footprints lie where the pelvis is in the middle of the time that the foot stands there.
        """
        first = int(self.rng.integers(2)) if first is None else first
        gait = self.style.walking(gait)
        beat = gait.seconds * _WALKING_PACE[self.spec.tempo] * self.style.pace
        lead, swing = 0.2, gait.air * beat
        end = lead + steps * beat + swing
        take = self.take(end + 0.3)
        t = take.t
        ramp = min(1.3 * beat, (end - lead) / 2)
        speed = np.minimum(ease((t - lead + 0.1) / ramp), ease((end + 0.1 - t) / ramp))
        progress = np.cumsum(speed) / speed.sum()
        places = np.array([path(float(s)) for s in progress])
        for name, column in zip(("x", "z", "heading"), places.T, strict=True):
            take.track[name][:] = column
        backward = path(1.0)[1] < -0.1
        high = gait.tiptoe
        for k in range(steps + 1):
            foot = (first + k) % 2
            lift_off = lead + k * beat
            landing = lift_off + swing
            middle = (landing + lead + (k + 2) * beat) / 2
            share = 1.0 if k >= steps - 1 else float(np.interp(middle, t, progress))
            ball, yaw = take.footing(foot, path(share))
            off, land = (6.0, 14.0) if backward else (34.0, -14.0)
            if gait.air > 1:
                off, land = 48.0, 4.0
            if k >= steps - 1:
                land = 0.0
            take.step(
                foot,
                lift_off,
                landing,
                ball,
                yaw,
                lift=gait.lift * self.jitter(),
                off=max(off, high) if k > 1 else max(off / 2, high),
                land=max(land, high),
                stay=high if k < steps - 1 else 0.0,
            )
        self._walk_body(take, gait, first, beat, lead, swing, speed, -1.0 if backward else 1.0)
        return take

    def _walk_body(self, take, gait, first, beat, lead, swing, speed, ahead) -> None:
        """Rise and fall, sway, counter-rotation and arm swing of a walk."""
        t = take.t
        sign = 1.0 - 2.0 * first
        leading = sign * ahead * np.cos(np.pi * (t - lead - swing) / beat) * speed
        lifted = sign * np.cos(np.pi * (t - lead - swing / 2) / beat) * speed
        peak = lead + ((swing - beat) / 2 if gait.air > 1 else swing / 2)
        bob = gait.bob * np.cos(2 * np.pi * (t - peak) / beat)
        take.add("height", (bob - gait.crouch) * speed + 0.05 * (gait.tiptoe > 0) * speed)
        take.add("shift", -gait.sway * lifted)
        take.add("roll", np.radians(-3.0) * lifted)
        take.add("tilt", np.radians(3.0) * lifted)
        twist = np.radians(gait.twist)
        take.add("turn", -twist * leading)
        take.add("twist", 2 * twist * leading)
        take.add("look", -twist * leading)
        take.add("pitch", np.radians(0.6 * gait.lean) * speed)
        take.add("bend", np.radians(0.6 * gait.lean) * speed)
        take.add("nod", np.radians(-0.7 * gait.lean) * speed)
        for side, toward in (("left", -1.0), ("right", 1.0)):
            flex = toward * np.radians(gait.swing) * leading
            take.add(f"{side}_flex", flex + np.radians(0.2 * gait.elbow - 2) * speed)
            take.add(f"{side}_elbow", np.radians(gait.elbow) * speed + 0.35 * np.maximum(flex, 0))
            if gait.knees:
                up = np.maximum(-toward * lifted, 0)
                weight = ease(np.clip(2.2 * up, 0, 1))
                take.add(f"{side}_free", weight)
                take.add(f"{side}_hip", np.radians(gait.knees) * up)
                take.add(f"{side}_knee", np.radians(1.15 * gait.knees) * up + 0.05)
                take.add(f"{side}_point", np.radians(12) * up)
            if gait.limp == side:
                standing = np.maximum(toward * lifted, 0)
                take.add("height", -0.05 * standing)
                take.add("tilt", toward * np.radians(11) * standing)
                take.add("roll", toward * np.radians(4) * standing)


def carry_arms(take: Take, poses: Sequence[Pose], period: float) -> None:
    """Move the arms of a take through ``poses`` again and again, whatever they did before."""
    begin, end = 0.45, take.seconds - 0.5
    beats = max(2, round((end - begin) / period))
    keys = [(begin + i * (end - begin) / beats, poses[i % len(poses)]) for i in range(beats + 1)]
    take.poses([*keys, (take.seconds, REST)])


def footing_of(side: str) -> int:
    """Index of the foot of a side."""
    return SIDES.index(side)
