"""The catalog of actions: what each looks like, and which attributes it can have.

Every action starts and ends at rest on both feet, except those that end a motion (`final`).
Angles of poses are degrees, lengths meters; see `pose` for the channels.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from tmr.synthetic.clip_builder import (
    REST,
    Actor,
    Gait,
    Number,
    Place,
    Pose,
    Spec,
    Take,
    arm,
    both,
    carry_arms,
    ease,
    footing_of,
    leg,
    other,
    reach,
)

Perform = Callable[[Actor], Take]

LEFT_RIGHT = ("left", "right")
ANY_ARM = ("left", "right", "both")
ANY_TEMPO = ("", "slow", "fast")
CARRIES = ("", "wave left", "wave right", "clap", "hips", "raised", "stretched")


@dataclass(frozen=True)
class Action:
    """How an action is performed, and the values of its attributes."""

    perform: Perform
    sides: tuple[str, ...] = ("",)
    directions: tuple[str, ...] = ("",)
    counts: tuple[int, ...] = (0,)
    tempos: tuple[str, ...] = ("",)
    amplitudes: tuple[str, ...] = ("",)
    carries: tuple[str, ...] = ("",)
    final: bool = False
    loose: bool = False  # looks the same where its first and last seconds are not seen
    loose_end: bool = False  # looks the same where its last seconds are not seen
    often: int = 1  # as often as this, beside the others, people tell of it

    def may_be_cut(self, spec: Spec, end: bool) -> bool:
        """Whether filming may begin, or end, on the way: no steps are told that would be missed."""
        return (self.loose or (end and self.loose_end)) and spec.amplitude != "small"

    def specs(self, name: str) -> list[Spec]:
        """Every combination of the attributes."""
        values = product(
            self.sides, self.directions, self.counts, self.tempos, self.amplitudes, self.carries
        )
        return [Spec(name, *value) for value in values]


ACTIONS: dict[str, Action] = {}


def action(name: str, **attributes: Any) -> Callable[[Perform], Perform]:
    """Enter a function into the catalog."""

    def enter(perform: Perform) -> Perform:
        ACTIONS[name] = Action(perform, **attributes)
        return perform

    return enter


def perform(actor: Actor) -> Take:
    """The take of the actor's spec."""
    take = ACTIONS[actor.spec.action].perform(actor)
    if actor.spec.carry:
        _carry(take, actor)
    return take


def _merge(*poses: Pose) -> Pose:
    return {name: value for pose in poses for name, value in pose.items()}


def _shoulder_sign(side: str) -> float:
    """1 for the left, -1 for the right: the sense of twists, turns and shifts toward a side."""
    return 1.0 if side == "left" else -1.0


# Walks


def _straight(distance: float, drift: float = 0.0) -> Callable[[float], Place]:
    """Ahead, or back for a distance < 0; ``drift`` is how far the heading has turned at the end."""

    def place(s: float) -> Place:
        half = drift * s / 2
        chord = distance * s * np.sinc(half / np.pi)
        return chord * np.sin(half), chord * np.cos(half), 2 * half

    return place


def _arc(radius: float, angle: float) -> Callable[[float], Place]:
    """A circle's arc, to the left for a positive angle in radians."""
    sign = np.sign(angle)

    def place(s: float) -> Place:
        a = abs(angle) * s
        return sign * radius * (1 - np.cos(a)), radius * np.sin(a), sign * a

    return place


def _bend(rng: np.random.Generator, length: float, angle: float) -> Callable[[float], Place]:
    """Straight ahead, around a bend on the way (to the left for an angle > 0), straight on."""
    begin = rng.uniform(0.0, 0.45)
    course = np.linspace(0, 1, 201)
    heading = angle * ease((course - begin) / rng.uniform(0.35, 0.55))
    x, z = (length * np.cumsum(f(heading)) / len(course) for f in (np.sin, np.cos))

    def place(s: float) -> Place:
        here, there, turned = (float(np.interp(s, course, along)) for along in (x, z, heading))
        return here, there, turned

    return place


def _gait(actor: Actor, **changes: Any) -> Gait:
    """A walk; quick ones have longer steps and larger swings."""
    tempo = actor.spec.tempo
    usual: dict[str, Any] = {
        "": {"stride": 0.62},
        "slow": {"stride": 0.5, "swing": 15.0, "bob": 0.012},
        "fast": {"stride": 0.7, "swing": 34.0, "lean": 5.0, "elbow": 30.0, "air": 0.84},
    }[tempo]
    return Gait(**(usual | changes))


@action(
    "walk",
    directions=("forward", "backward"),
    tempos=ANY_TEMPO,
    amplitudes=("", "small", "big"),
    carries=CARRIES,
    loose=True,
    often=6,
)
def _walk(actor: Actor) -> Take:
    steps = {"small": 2, "": 4, "big": 7}[actor.spec.amplitude]
    gait = _gait(actor)
    sign = 1.0
    if actor.spec.direction == "backward":
        gait = _gait(actor, stride=0.75 * gait.stride, swing=0.6 * gait.swing, lean=0.0)
        sign = -1.0
    length = sign * steps * gait.stride * actor.style.size
    return actor.walk(steps, gait, _straight(length, actor.style.drift))


@action("curve", sides=LEFT_RIGHT, tempos=ANY_TEMPO, carries=CARRIES, often=4)
def _curve(actor: Actor) -> Take:
    gait = _gait(actor)
    angle = _shoulder_sign(actor.spec.side) * np.radians(actor.rng.uniform(55, 120))
    steps = int(actor.rng.integers(4, 8))
    return actor.walk(steps, gait, _bend(actor.rng, steps * gait.stride, angle))


@action("circle", sides=LEFT_RIGHT, tempos=("", "fast"), often=2)
def _circle(actor: Actor) -> Take:
    gait = _gait(actor, stride=0.55)
    angle = _shoulder_sign(actor.spec.side) * 2 * np.pi
    steps = 8
    return actor.walk(steps, gait, _arc(steps * gait.stride / abs(angle), angle))


@action("run", directions=("forward",), tempos=("", "fast"), amplitudes=("", "small", "big"),
        loose=True, often=3)  # fmt: skip
def _run(actor: Actor) -> Take:
    steps = {"small": 3, "": 5, "big": 8}[actor.spec.amplitude]
    gait = _running(actor, sway=0.012)
    length = steps * gait.stride * actor.style.size
    return actor.walk(steps, gait, _straight(length, actor.style.drift))


def _running(actor: Actor, **changes: Any) -> Gait:
    """A run: trotting or with long flights, stooped or upright, arms bent or nearly hanging."""
    rng, quick = actor.rng, bool(actor.spec.tempo)
    usual: dict[str, Any] = {
        "stride": rng.uniform(0.9, 1.15) if quick else rng.uniform(0.55, 0.95),
        "seconds": 0.36 * rng.uniform(0.92, 1.1),
        "air": rng.uniform(1.2, 1.35) if quick else rng.uniform(1.1, 1.3),
        "lift": rng.uniform(0.1, 0.2),
        "swing": rng.uniform(22, 46),
        "elbow": rng.uniform(45, 95),
        "bob": rng.uniform(0.03, 0.045),
        "lean": rng.uniform(5, 14),
        "crouch": 0.06,
        "twist": 9.0,
    }
    return Gait(**(usual | changes))


@action("run_curve", sides=LEFT_RIGHT)
def _run_curve(actor: Actor) -> Take:
    gait = _running(actor)
    angle = _shoulder_sign(actor.spec.side) * np.radians(actor.rng.uniform(70, 125))
    return actor.walk(6, gait, _bend(actor.rng, 6 * gait.stride, angle))


@action("jog_in_place", tempos=("", "fast"), loose=True)
def _jog_in_place(actor: Actor) -> Take:
    gait = Gait(
        stride=0.0, seconds=0.34, air=1.1, lift=0.2, swing=30.0, elbow=85.0, bob=0.03, crouch=0.04
    )
    return actor.walk(8, gait, _straight(0.0))


@action("march", tempos=ANY_TEMPO, carries=("", "clap", "hips", "raised"), loose=True)
def _march(actor: Actor) -> Take:
    gait = Gait(stride=0.0, seconds=0.55, lift=0.12, swing=38.0, knees=82.0, sway=0.05, elbow=20.0)
    return actor.walk(6, gait, _straight(0.0))


@action("tiptoe", directions=("forward", "backward"), tempos=("", "slow"), loose=True)
def _tiptoe(actor: Actor) -> Take:
    sign = 1.0 if actor.spec.direction == "forward" else -1.0
    gait = Gait(stride=0.38, seconds=0.5, tiptoe=42.0, swing=6.0, lift=0.1, elbow=40.0, bob=0.01)
    take = actor.walk(5, gait, _straight(sign * 5 * gait.stride))
    carry_arms(take, [arm("both", flex=20, abduct=45, inward=20, elbow=45)] * 2, 0.8)
    return take


@action("sneak", directions=("forward",), tempos=("", "slow"), loose=True)
def _sneak(actor: Actor) -> Take:
    gait = Gait(
        stride=0.5, seconds=0.7, crouch=0.24, lean=32.0, lift=0.13, swing=16.0, elbow=70.0, bob=0.0
    )
    return actor.walk(4, gait, _straight(4 * gait.stride))


@action("limp", sides=LEFT_RIGHT, directions=("forward",), loose=True)
def _limp(actor: Actor) -> Take:
    gait = Gait(stride=0.4, seconds=0.62, lift=0.045, swing=12.0, sway=0.04, limp=actor.spec.side)
    return actor.walk(5, gait, _straight(5 * gait.stride))


@action("turn", sides=LEFT_RIGHT, directions=("quarter", "half", "full"), tempos=ANY_TEMPO,
        often=3)  # fmt: skip
def _turn(actor: Actor) -> Take:
    angle = {"quarter": 90, "half": 180, "full": 360}[actor.spec.direction]
    steps = {"quarter": 2, "half": 3, "full": 6}[actor.spec.direction]
    turned = _shoulder_sign(actor.spec.side) * np.radians(angle)
    gait = Gait(stride=0.0, seconds=0.42, lift=0.06, swing=6.0, twist=0.0, sway=0.03, bob=0.008)
    first = footing_of(actor.spec.side)
    take = actor.walk(steps, gait, lambda s: (0.0, 0.0, turned * s), first)
    lead = np.gradient(take.track["heading"]) * 20 * 0.12
    take.add("look", np.clip(lead, -0.6, 0.6))
    take.add("twist", np.clip(0.5 * lead, -0.3, 0.3))
    return take


@action("sidestep", sides=LEFT_RIGHT, counts=(1, 2, 3, 4), tempos=ANY_TEMPO, carries=("", "clap"))
def _sidestep(actor: Actor) -> Take:
    sign, count = _shoulder_sign(actor.spec.side), actor.spec.count
    width = 0.42 * actor.size
    swing = 0.42 * actor.pace
    beat = 1.12 * swing
    take = actor.take(0.3 + 2 * count * beat + 0.4)
    lead, trail = footing_of(actor.spec.side), footing_of(other(actor.spec.side))
    path, now = [(0.25, (0.0, 0.0, 0.0))], 0.3
    for k in range(count):
        place = (sign * (k + 1) * width, 0.0, 0.0)
        for foot in (lead, trail):
            ball, yaw = take.footing(foot, place)
            take.step(foot, now, now + swing, ball, yaw, lift=0.06, off=16, land=0)
            now += beat
    path.append((now, (sign * count * width, 0.0, 0.0)))
    take.move(path)
    phase = np.clip((take.t - 0.3) / (2 * beat), 0, count)
    wave = np.sin(2 * np.pi * phase)
    take.add("height", -0.035 * np.sin(np.pi * phase) ** 2)
    take.add("tilt", -sign * 0.06 * wave)
    take.add("left_abduct", 0.15 * np.sin(np.pi * phase) ** 2)
    take.add("right_abduct", 0.15 * np.sin(np.pi * phase) ** 2)
    return take


def _carry(take: Take, actor: Actor) -> None:
    carry = actor.spec.carry
    if carry.startswith("wave"):
        out, into, beat = _waving(actor, carry.split()[1], high=False)
        carry_arms(take, [into, out], 1.15 * beat)
    elif carry == "clap":
        carry_arms(take, list(_clapping("front")), 0.28)
    else:
        pose = {
            "hips": _on_hips("both"),
            "raised": arm("both", flex=168, abduct=12, inward=0, elbow=12),
            "stretched": arm("both", flex=88, abduct=2, inward=0, elbow=5),
        }[carry]
        carry_arms(take, [pose] * 2, 0.8)


# Jumps


@action("jump", directions=("up", "forward", "backward", "left", "right"), counts=(1, 2, 3),
        amplitudes=("", "big"), often=2)  # fmt: skip
def _jump(actor: Actor) -> Take:
    direction, count = actor.spec.direction, actor.spec.count
    height = (0.2 if actor.spec.amplitude else 0.1) * actor.jitter()
    length = 0.6 if actor.spec.amplitude else 0.4
    x, z = {
        "up": (0.0, 0.0),
        "forward": (0.0, length),
        "backward": (0.0, -0.75 * length),
        "left": (0.8 * length, 0.0),
        "right": (-0.8 * length, 0.0),
    }[direction]
    take = actor.take(1.6 + 1.15 * count)
    deep = 0.3 if actor.spec.amplitude else 0.2
    now, marks = 0.15, []
    for k in range(count):
        place = (x * (k + 1), z * (k + 1), 0.0)
        off, hit, now = take.jump(now, height, place, crouch=deep, last=k == count - 1, tuck=0.04)
        marks.append((off, hit))
    _swing_arms(take, marks, 100 if actor.spec.amplitude else 60)
    return _cut(take, now + 0.15)


def _swing_arms(take: Take, marks: list[tuple[float, float]], raised: Number) -> None:
    keys: list[tuple[float, Pose]] = [(0.05, REST)]
    back = arm("both", flex=-42, abduct=14, inward=10, elbow=20)
    up = arm("both", flex=raised, abduct=18, inward=10, elbow=35)
    for off, hit in marks:
        keys.append((max(off - 0.28, keys[-1][0] + 0.1), back))
        keys.append((off + 0.1, up))
        keys.append((hit + 0.14, arm("both", flex=25, abduct=20, inward=10, elbow=35)))
    keys.append((keys[-1][0] + 0.4, REST))
    take.poses(keys)


def _cut(take: Take, seconds: float) -> Take:
    """The take without what lies behind ``seconds``."""
    frames = int(np.ceil(seconds * 20)) + 1
    track = take.track
    take.t = take.t[:frames]
    track.channels, track.planted = track.channels[:frames], track.planted[:frames]
    track.toes, track.yaw, track.pitch = (
        track.toes[:frames], track.yaw[:frames], track.pitch[:frames],
    )  # fmt: skip
    return take


@action("jump_turn", sides=LEFT_RIGHT, directions=("quarter", "half"))
def _jump_turn(actor: Actor) -> Take:
    angle = np.radians({"quarter": 90, "half": 180}[actor.spec.direction])
    heading = _shoulder_sign(actor.spec.side) * angle
    take = actor.take(3.0)
    off, hit, end = take.jump(0.15, 0.17, (0.0, 0.0, heading), crouch=0.26, tuck=0.05)
    _swing_arms(take, [(off, hit)], 60)
    return _cut(take, end + 0.15)


@action("hop", sides=LEFT_RIGHT, directions=("in place", "forward"), counts=(2, 3, 4))
def _hop(actor: Actor) -> Take:
    side, count = actor.spec.side, actor.spec.count
    lifted = other(side)
    foot, up = footing_of(side), footing_of(lifted)
    ahead = 0.32 if actor.spec.direction == "forward" else 0.0
    take = actor.take(2.0 + 0.8 * count)
    now = hit = 0.45
    for k in range(count):
        place = (0.0, ahead * (k + 1), 0.0)
        _, hit, now = take.jump(
            now, 0.06 * actor.jitter(), place, crouch=0.11, feet=(foot,), quick=0.6,
            last=k == count - 1,
        )  # fmt: skip
    ball, yaw = take.footing(up, (0.0, ahead * count, 0.0))
    take.step(up, 0.3, hit, ball, yaw, lift=0.2, off=20)
    bent = leg(lifted, hip=22, knee=85, point=25)
    arms = arm("both", abduct=38, elbow=45, flex=12)
    take.poses([(0.1, REST), (0.5, _merge(bent, arms)), (hit + 0.1, _merge(bent, arms)),
                (now + 0.25, REST)])  # fmt: skip
    return _cut(take, now + 0.3)


@action("jumping_jack", counts=(2, 3, 4, 5), tempos=("", "slow"))
def _jumping_jack(actor: Actor) -> Take:
    slow = 1.4 if actor.spec.tempo else 1.0
    take = actor.take(1.2 + 1.6 * slow * actor.spec.count)
    now, keys = 0.1, [(0.1, REST)]
    for k in range(2 * actor.spec.count):
        wide = k % 2 == 0
        spread = (0.24, -0.24) if wide else (0.0, 0.0)
        final = k == 2 * actor.spec.count - 1
        _, hit, now = take.jump(
            now, 0.035, crouch=0.07, spread=spread, quick=0.55 * slow, last=final
        )
        up = arm("both", abduct=158, flex=0, inward=0, elbow=14)
        keys.append((hit + 0.06, up if wide else REST))
        if slow > 1 and not final:
            now += 0.2
    take.poses(keys)
    return _cut(take, now + 0.15)


# Legs


@action("kick", sides=LEFT_RIGHT, directions=("forward", "sideways", "backward"), counts=(1, 2, 3),
        amplitudes=("", "small", "big"))  # fmt: skip
def _kick(actor: Actor) -> Take:
    side, size = actor.spec.side, {"small": 0.6, "": 1.0, "big": 1.4}[actor.spec.amplitude]
    sign = _shoulder_sign(side)
    guard = _merge(
        arm(side, flex=-12, abduct=26, elbow=45), arm(other(side), flex=38, abduct=22, elbow=55)
    )
    if actor.spec.direction == "forward":
        chamber = _merge(leg(side, hip=58 * size, knee=95, point=20), guard)
        extend = _merge(
            leg(side, hip=70 * size, knee=12, point=25), guard,
            {"pitch": -7 * size, "bend": -3, "turn": -10 * sign},
        )  # fmt: skip
    elif actor.spec.direction == "sideways":
        chamber = _merge(leg(side, hip=40, out=24 * size, knee=85, point=0), guard)
        extend = _merge(
            leg(side, hip=6, out=56 * size, knee=10, point=5), guard,
            {"roll": 12 * sign * size, "tilt": 8 * sign * size},
        )  # fmt: skip
    else:
        chamber = _merge(leg(side, hip=25, knee=80, point=10), guard)
        extend = _merge(
            leg(side, hip=-42 * size, knee=18, point=20), guard,
            {"pitch": 20 * size, "bend": 12 * size, "nod": -20 * size},
        )  # fmt: skip
    return actor.stroke(
        (0.25, REST), [(0.38, chamber), (0.2, extend), (0.14, extend), (0.3, chamber)], 0.42
    )


@action("knee_raise", sides=("left", "right", "alternating"), counts=(2, 3, 4), tempos=("", "fast"))
def _knee_raise(actor: Actor) -> Take:
    phases: list[tuple[float, Pose]] = [(0.2, REST)]
    for side in _alternate(actor):
        up = _merge(
            leg(side, hip=92 * actor.style.size, knee=100, point=15),
            arm(other(side), flex=55, elbow=80),
            arm(side, flex=-20, elbow=35),
        )
        phases += [(0.4, up), (0.1, up), (0.4, REST)]
    return actor.perform(phases)


def _alternate(actor: Actor) -> list[str]:
    """The side of each repetition."""
    side, count = actor.spec.side, actor.spec.count
    return [LEFT_RIGHT[i % 2] for i in range(count)] if side == "alternating" else [side] * count


@action("balance", sides=LEFT_RIGHT, amplitudes=("",))
def _balance(actor: Actor) -> Take:
    lifted = other(actor.spec.side)
    up = _merge(
        leg(lifted, hip=50, knee=95, point=20),
        arm("both", abduct=84, flex=0, inward=0, elbow=8),
    )
    sway = _merge(up, {"tilt": 4.0, "roll": -2.0})
    return actor.perform([(0.25, REST), (0.7, up), (0.6, sway), (0.7, up), (0.7, REST)])


@action("stomp", sides=LEFT_RIGHT, counts=(1, 2, 3, 4), tempos=("", "fast"))
def _stomp(actor: Actor) -> Take:
    side = actor.spec.side
    up = _merge(leg(side, hip=55, knee=80, point=0), {"bend": 4, "nod": 12},
                arm("both", abduct=16, elbow=45))  # fmt: skip
    down = {"height": -0.045, "bend": 9, "nod": 14, **arm("both", abduct=16, elbow=30)}
    return actor.stroke((0.2, REST), [(0.36, up), (0.16, down), (0.18, down)], 0.35)


@action("lunge", sides=LEFT_RIGHT, directions=("forward", "sideways", "backward"),
        tempos=("", "slow"))  # fmt: skip
def _lunge(actor: Actor) -> Take:
    sign, foot = _shoulder_sign(actor.spec.side), footing_of(actor.spec.side)
    beat = actor.pace
    out, hold, back = 0.75 * beat, 0.45 * beat, 0.75 * beat
    take = actor.take(0.35 + out + hold + back + 0.45)
    x, z, pose = {
        "forward": (0.0, 0.72, {"ahead": 0.36, "height": -0.3}),
        "backward": (0.0, -0.72, {"ahead": -0.3, "height": -0.3}),
        "sideways": (0.62 * sign, 0.0,
                     {"shift": 0.42 * sign, "height": -0.26, "pitch": 14, "ahead": -0.08}),
    }[actor.spec.direction]  # fmt: skip
    home, yaw = take.footing(foot, (0.0, 0.0, 0.0))
    goal = home + np.array([x, 0.0, z])
    stay = 38.0 if z < 0 else 0.0
    take.step(foot, 0.3, 0.3 + 0.8 * out, goal, yaw, lift=0.1, land=max(stay, -8), stay=stay)
    begin = 0.3 + out + hold
    take.step(foot, begin + 0.2 * back, begin + back, home, yaw, lift=0.1, off=15, land=0)
    arms = _on_hips("both")
    take.poses([(0.2, REST), (0.25 + out, _merge(pose, arms)), (begin, _merge(pose, arms)),
                (begin + back + 0.1, REST)])  # fmt: skip
    return take


@action("kneel", sides=LEFT_RIGHT, tempos=("", "slow"))
def _kneel(actor: Actor) -> Take:
    return _kneeling(actor, rise=True)


@action("kneel_stay", sides=LEFT_RIGHT, final=True)
def _kneel_stay(actor: Actor) -> Take:
    return _kneeling(actor, rise=False)


def _kneeling(actor: Actor, rise: bool) -> Take:
    """Down on the knee of the spec's side, whose foot goes back."""
    side, foot = actor.spec.side, footing_of(actor.spec.side)
    down, hold, up = 1.1 * actor.pace, 0.7 * actor.pace, 1.1 * actor.pace
    take = actor.take(0.2 + down + hold + (up + 0.4 if rise else 0.0))
    home, yaw = take.footing(foot, (0.0, 0.0, 0.0))
    take.step(foot, 0.2, 0.2 + 0.55 * down, home + np.array([0, 0, -0.5]), yaw, land=60, stay=62)
    low = _merge(
        {"height": -0.42, "ahead": -0.02, "bend": 6},
        arm(other(side), flex=32, abduct=12, inward=30, elbow=40),
        arm(side, flex=12, abduct=12, elbow=25),
    )
    half = {"height": -0.12, "ahead": -0.06, "pitch": 12, "bend": 12}
    keys = [(0.15, REST), (0.2 + 0.5 * down, half), (0.2 + down, low), (0.2 + down + hold, low)]
    if rise:
        begin = 0.2 + down + hold
        keys += [(begin + 0.5 * up, half), (begin + up + 0.2, REST)]
        take.step(foot, begin + 0.45 * up, begin + up, home, yaw, off=50, land=0)
    take.poses(keys)
    return take


@action("squat", counts=(1, 2, 3), tempos=ANY_TEMPO, amplitudes=("", "small"))
def _squat(actor: Actor) -> Take:
    depth = 0.22 if actor.spec.amplitude else 0.46
    low = _merge(
        {"height": -depth, "ahead": -0.3 * depth, "pitch": 55 * depth, "bend": 45 * depth,
         "nod": -50 * depth},
        arm("both", flex=82, abduct=4, inward=0, elbow=8),
    )  # fmt: skip
    return actor.stroke((0.15, REST), [(0.65, low), (0.15, low), (0.6, REST)], 0.15)


_SEAT = {"height": -0.39, "ahead": -0.36}


def _sitting(actor: Actor) -> list[tuple[float, Pose]]:
    over = _merge({"height": -0.2, "ahead": -0.22, "pitch": 30, "bend": 14, "nod": -15},
                  arm("both", flex=25, elbow=20))  # fmt: skip
    seat = _merge(_SEAT, {"bend": 6}, arm("both", flex=30, abduct=12, inward=25, elbow=52))
    return [(0.15, REST), (0.6, over), (0.55, seat), (0.7, seat)]


@action("sit", tempos=("", "slow"), final=True)
def _sit(actor: Actor) -> Take:
    return actor.perform([*_sitting(actor), (0.4, _sitting(actor)[-1][1])])


@action("sit_stand", tempos=("", "slow", "fast"))
def _sit_stand(actor: Actor) -> Take:
    down = _sitting(actor)
    return actor.perform([*down, (0.55, down[1][1]), (0.6, REST)])


# Trunk


@action("bow", counts=(1, 2), tempos=("", "slow"), amplitudes=("", "small", "big"))
def _bow(actor: Actor) -> Take:
    size = actor.size
    low = _merge({"pitch": 30 * size, "bend": 36 * size, "nod": 12 * size, "ahead": -0.07 * size},
                 arm("both", flex=14 * size, abduct=8, elbow=14))  # fmt: skip
    return actor.stroke((0.2, REST), [(0.65, low), (0.4, low), (0.65, REST)], 0.15)


@action("pick_up", sides=ANY_ARM, directions=("front", "left", "right"), tempos=("", "fast"))
def _pick_up(actor: Actor) -> Take:
    sign = {"front": 0.0, "left": 1.0, "right": -1.0}[actor.spec.direction]
    low = {"height": -0.36, "ahead": -0.16, "pitch": 44, "bend": 40, "nod": -8,
           "twist": 46 * sign, "turn": 12 * sign, "tilt": -10 * sign}  # fmt: skip
    down = _merge(low, arm(actor.spec.side, flex=84, abduct=6, inward=10, elbow=12))
    lifted = arm(actor.spec.side, flex=28, abduct=6, inward=22, elbow=88)
    return actor.perform(
        [(0.2, REST), (0.85, down), (0.25, down), (0.8, lifted), (0.35, lifted), (0.4, REST)]
    )


@action("touch_toes", counts=(1, 2, 3), tempos=("", "slow"))
def _touch_toes(actor: Actor) -> Take:
    up = arm("both", flex=165, abduct=8, inward=0, elbow=8)
    low = _merge({"pitch": 68, "bend": 62, "nod": 18, "ahead": -0.2, "height": -0.04},
                 arm("both", flex=92, abduct=2, inward=0, elbow=8))  # fmt: skip
    return actor.stroke((0.5, up), [(0.75, low), (0.2, low), (0.65, up)], 0.5)


@action("look", sides=("left", "right", "around"), tempos=("", "slow"))
def _look(actor: Actor) -> Take:
    left = {"look": 60.0, "twist": 30.0, "turn": 8.0}
    right = {name: -value for name, value in left.items()}
    course = {
        "left": [(0.5, left), (0.8, left)],
        "right": [(0.5, right), (0.8, right)],
        "around": [(0.5, left), (0.4, left), (0.8, right), (0.4, right)],
    }[actor.spec.side]
    return actor.perform([(0.25, REST), *course, (0.55, REST)])


@action("shrug", counts=(1, 2, 3))
def _shrug(actor: Actor) -> Take:
    up = _merge(
        arm("both", shrug=26, flex=8, abduct=28, inward=-50, elbow=78), {"cock": 8, "nod": 4}
    )
    return actor.stroke((0.2, REST), [(0.35, up), (0.3, up), (0.35, REST)], 0.15)


@action("side_bend", sides=LEFT_RIGHT, counts=(1, 2, 3), tempos=("", "slow"))
def _side_bend(actor: Actor) -> Take:
    sign = _shoulder_sign(actor.spec.side)
    low = _merge(
        {"tilt": -36 * sign, "roll": -5 * sign, "shift": -0.05 * sign, "cock": -10 * sign},
        arm(other(actor.spec.side), abduct=160, flex=0, inward=-60, elbow=35),
        arm(actor.spec.side, abduct=4, elbow=8),
    )
    return actor.stroke((0.2, REST), [(0.75, low), (0.3, low), (0.7, REST)], 0.15)


@action("twist", sides=("left", "right", "alternating"), counts=(2, 3), tempos=("", "fast"))
def _twist(actor: Actor) -> Take:
    out = arm("both", flex=8, abduct=82, inward=20, elbow=12)
    phases: list[tuple[float, Pose]] = [(0.45, out)]
    for side in _alternate(actor):
        sign = _shoulder_sign(side)
        turned = _merge(out, {"twist": 58 * sign, "turn": 16 * sign, "look": 10 * sign})
        phases += [(0.5, turned), (0.15, turned), (0.45, out)]
    return actor.perform([*phases, (0.45, REST)])


@action("stretch", tempos=("", "slow"))
def _stretch(actor: Actor) -> Take:
    up = _merge(arm("both", flex=172, abduct=10, inward=0, elbow=4, shrug=12),
                {"height": 0.07, "bend": -10, "nod": -18})  # fmt: skip
    take = actor.perform([(0.15, REST), (0.9, up), (0.9, up), (0.8, REST)])
    raised = np.clip(take.track["height"] / 0.07, 0, 1)
    take.track.pitch += np.radians(38) * raised[:, None]
    return take


# Arms


def _waving(actor: Actor, side: str, high: bool) -> tuple[Pose, Pose, float]:
    """Both ends of a wave and the usual seconds between them, in one of the ways people wave.

    Beside the shoulder the elbow opens and closes; in front of the chest the forearm turns; the
    whole arm sways beside the head; the other joints of the arm often go along. ``high``, the hand
    is above the head. Two hands go the same way, or mirror each other.
    """
    rng = actor.rng
    way = rng.choice(["elbow", "sway"] if high else ["elbow", "elbow", "turn", "turn", "sway"])
    swing = rng.uniform(0.55, 1.7)
    if way == "sway":
        held = {"flex": rng.uniform(0, 50), "inward": -85, "elbow": rng.uniform(8, 60)}
        middle, reached = rng.uniform(130 if high else 100, 160), "abduct"
        swing *= 24
    elif way == "turn":
        held = {"flex": rng.uniform(5, 90), "abduct": rng.uniform(5, 40),
                "elbow": rng.uniform(75, 130)}  # fmt: skip
        middle, reached = rng.uniform(-35, 0), "inward"
        swing *= 36
    elif high:
        held = {"flex": rng.uniform(0, 30), "abduct": rng.uniform(130, 155), "inward": -85}
        middle, reached = rng.uniform(30, 40), "elbow"
        swing *= 30
    else:
        held = {"flex": rng.uniform(0, 45), "abduct": rng.uniform(25, 85), "inward": -84}
        middle, reached = rng.uniform(92, 112), "elbow"
        swing *= 30
    held[reached] = middle
    moved = {reached: swing}
    if rng.random() < 0.5:  # nobody moves one joint alone
        moved |= {name: swing * rng.uniform(-0.8, 0.8) for name in ("flex", "abduct", "elbow")
                  if name != reached}  # fmt: skip
    out, into = (
        arm(side, **{name: held.get(name, 0) + sign * moved.get(name, 0)
                     for name in (*held, *moved)})
        for sign in (-1, 1)
    )  # fmt: skip
    if side == "both" and rng.random() < 0.4:
        for name in [name for name in out if name.startswith("right")]:
            out[name], into[name] = into[name], out[name]
    return out, into, 0.26 * rng.uniform(0.7, 1.6)


@action("wave", sides=ANY_ARM, tempos=ANY_TEMPO, amplitudes=("", "big"), loose=True, often=3)
def _wave(actor: Actor) -> Take:
    out, into, beat = _waving(actor, actor.spec.side, high=bool(actor.spec.amplitude))
    beats = {"slow": 3, "": 4, "fast": 6}[actor.spec.tempo] + int(actor.rng.integers(-2, 3))
    return actor.perform([(0.55, out), *[(beat, into), (beat, out)] * beats, (0.55, REST)])


@action("raise", sides=ANY_ARM, directions=("up", "forward", "sideways", "overhead"),
        counts=(1, 2, 3), tempos=ANY_TEMPO, loose_end=True, often=3)  # fmt: skip
def _raise(actor: Actor) -> Take:
    side, rng, direction = actor.spec.side, actor.rng, actor.spec.direction
    if direction in ("up", "overhead") and rng.random() < 0.3:
        up, _, _ = _waving(actor, side, high=direction == "overhead")  # held where others wave
    else:
        flex, abduct = {
            "up": (rng.uniform(95, 160), 12),
            "forward": (90, 5),
            "sideways": (5, 90),
            "overhead": (165, 12) if rng.random() < 0.7 else (5, 160),
        }[direction]
        off = rng.uniform(-12, 12, 3)
        up = arm(side, flex=flex + off[0], abduct=abduct + off[1], inward=off[2],
                 elbow=rng.uniform(4, 55))  # fmt: skip
    held = rng.uniform(0.2, 2.5) if actor.spec.count == 1 else 0.35
    beats, unsteady = max(1, round(held / 0.45)), rng.uniform(0, 10)  # nobody holds an arm still
    holds = [(held / beats, _nudged(up, unsteady, rng)) for _ in range(beats)]
    return actor.stroke((0.2, REST), [(0.55, up), *holds, (0.55, REST)], 0.15)


def _nudged(pose: Pose, degrees: float, rng: np.random.Generator) -> Pose:
    return {name: angle + rng.uniform(-degrees, degrees) for name, angle in pose.items()}


def _clapping(where: str) -> tuple[Pose, Pose]:
    """Palms together, and apart."""
    if where == "front":
        return (
            reach("both", (-0.165, -0.12, 0.32), (1.0, -0.8, -0.2)),
            reach("both", (0.06, -0.12, 0.36), (1.0, -0.8, -0.2)),
        )
    return (
        reach("both", (-0.165, 0.44, 0.08), (1.0, 0.1, 0.0)),
        reach("both", (0.12, 0.42, 0.06), (1.0, 0.1, 0.0)),
    )


@action("clap", directions=("front", "overhead"), counts=(2, 3, 4, 5), tempos=ANY_TEMPO)
def _clap(actor: Actor) -> Take:
    together, apart = _clapping(actor.spec.direction)
    return actor.stroke((0.5, apart), [(0.18, together), (0.2, apart)], 0.5)


@action("punch", sides=("left", "right", "alternating"),
        directions=("straight", "hook", "uppercut"), counts=(1, 2, 3, 4),
        tempos=("", "fast"))  # fmt: skip
def _punch(actor: Actor) -> Take:
    guard = _merge(reach("both", (-0.06, 0.06, 0.24), (0.4, -1.0, 0.0)),
                   {"height": -0.05, "bend": 6})  # fmt: skip
    phases: list[tuple[float, Pose]] = [(0.45, guard)]
    count = max(actor.spec.count, 2) if actor.spec.side == "alternating" else actor.spec.count
    sides = [LEFT_RIGHT[i % 2] for i in range(count)]
    for side in sides if actor.spec.side == "alternating" else [actor.spec.side] * count:
        sign = _shoulder_sign(side)
        drive = {"twist": -24 * sign, "turn": -12 * sign, "look": 20 * sign}
        back = {"twist": 16 * sign, "turn": 6 * sign, "look": -10 * sign}
        load, hit = {
            "straight": (reach(side, (0.0, -0.02, 0.16), (0.4, -1.0, 0.0)),
                         reach(side, (-0.1, 0.02, 0.5), (0.6, -1.0, 0.0))),
            "hook": (reach(side, (0.28, -0.02, 0.14), (0.7, -0.3, -1.0)),
                     reach(side, (-0.2, 0.06, 0.34), (1.0, 0.1, 0.0))),
            "uppercut": (reach(side, (0.03, -0.38, 0.1), (0.2, -0.4, -1.0)),
                         reach(side, (-0.1, 0.2, 0.3), (0.3, -1.0, 0.2))),
        }[actor.spec.direction]  # fmt: skip
        phases += [(0.24, _merge(guard, load, back)), (0.18, _merge(guard, hit, drive)),
                   (0.1, _merge(guard, hit, drive)), (0.24, guard)]  # fmt: skip
    return actor.perform([*phases, (0.45, REST)])


@action("throw", sides=LEFT_RIGHT, directions=("overhand", "underhand"))
def _throw(actor: Actor) -> Take:
    side, sign = actor.spec.side, _shoulder_sign(actor.spec.side)
    foot = footing_of(other(side))
    if actor.spec.direction == "overhand":
        back = _merge(arm(side, abduct=88, flex=-14, inward=-80, elbow=85),
                      arm(other(side), flex=70, abduct=10, elbow=20),
                      {"twist": 38 * sign, "turn": 18 * sign, "look": -45 * sign, "ahead": -0.07,
                       "bend": -6})  # fmt: skip
        release = _merge(
            arm(side, abduct=25, flex=115, inward=0, elbow=22),
            {"twist": -20 * sign, "turn": -8 * sign, "ahead": 0.16, "bend": 12},
        )
        follow = _merge(arm(side, abduct=-8, flex=40, inward=30, elbow=20),
                        {"twist": -36 * sign, "turn": -14 * sign, "ahead": 0.2, "bend": 24,
                         "height": -0.06})  # fmt: skip
    else:
        back = _merge(
            arm(side, flex=-50, abduct=10, inward=0, elbow=6),
            {"twist": 22 * sign, "bend": 18, "height": -0.08, "ahead": 0.02},
        )
        release = _merge(
            arm(side, flex=72, abduct=4, inward=0, elbow=8),
            {"twist": -10 * sign, "ahead": 0.16, "bend": 10, "height": -0.04},
        )
        follow = _merge(arm(side, flex=120, abduct=4, inward=0, elbow=22),
                        {"twist": -18 * sign, "ahead": 0.18, "bend": 2})  # fmt: skip
    keys = actor.course(
        [(0.2, REST), (0.65, back), (0.12, back), (0.28, release), (0.26, follow), (0.2, follow),
         (0.7, REST)]
    )  # fmt: skip
    take = actor.take(keys[-1][0] + 0.15)
    take.poses(keys)
    home, yaw = take.footing(foot, (0.0, 0.0, 0.0))
    landing = keys[2][0] + 0.05
    take.step(foot, landing - 0.4, landing, home + np.array([0, 0, 0.4]), yaw, lift=0.09)
    take.step(foot, keys[5][0] + 0.1, keys[6][0], home, yaw, off=10, land=0)
    return take


@action("push", sides=ANY_ARM, counts=(1, 2), tempos=ANY_TEMPO)
def _push(actor: Actor) -> Take:
    side = actor.spec.side
    load = _merge(reach(side, (0.02, -0.1, 0.13), (0.8, -1.0, -0.4)), {"ahead": -0.04, "bend": -2})
    out = _merge(reach(side, (-0.04, -0.03, 0.51), (0.8, -1.0, 0.0)),
                 {"ahead": 0.08, "pitch": 8, "bend": 8, "height": -0.03})  # fmt: skip
    return actor.stroke((0.2, REST), [(0.42, load), (0.4, out), (0.3, out)], 0.5)


@action("pull_rope", counts=(2, 3, 4), tempos=("", "fast"))
def _pull_rope(actor: Actor) -> Take:
    far = _merge(reach("both", (-0.14, -0.14, 0.46), (0.9, -1.0, 0.0)),
                 {"height": -0.12, "ahead": -0.06, "bend": 14})  # fmt: skip
    near = _merge(reach("both", (-0.12, -0.22, 0.14), (1.0, -0.5, -0.8)),
                  {"height": -0.14, "ahead": -0.16, "pitch": -8, "bend": -6})  # fmt: skip
    return actor.stroke((0.5, far), [(0.45, near), (0.4, far)], 0.5)


def _on_hips(side: str) -> Pose:
    return reach(side, (0.02, -0.42, 0.06), (1.0, -0.1, -0.55))


@action("hands_on_hips", sides=ANY_ARM)
def _hands_on_hips(actor: Actor) -> Take:
    pose = _on_hips(actor.spec.side)
    return actor.perform([(0.15, REST), (0.5, pose), (1.1, pose), (0.5, REST)])


@action("cross_arms")
def _cross_arms(actor: Actor) -> Take:
    pose = _merge(reach("left", (-0.24, -0.2, 0.2), (0.8, -1.0, 0.2)),
                  reach("right", (-0.22, -0.25, 0.25), (0.8, -1.0, 0.2)))  # fmt: skip
    return actor.perform([(0.15, REST), (0.6, pose), (1.1, pose), (0.55, REST)])


@action("drink", sides=LEFT_RIGHT, counts=(1, 2))
def _drink(actor: Actor) -> Take:
    hold = reach(actor.spec.side, (-0.06, -0.18, 0.28), (0.5, -1.0, -0.2))
    sip = _merge(reach(actor.spec.side, (-0.16, 0.11, 0.17), (0.8, -0.7, 0.3)), {"nod": -16})
    return actor.stroke((0.5, hold), [(0.5, sip), (0.55, sip), (0.45, hold)], 0.45)


@action("phone", sides=LEFT_RIGHT)
def _phone(actor: Actor) -> Take:
    sign = _shoulder_sign(actor.spec.side)
    ear = _merge(reach(actor.spec.side, (-0.08, 0.14, 0.07), (0.8, -1.0, 0.3)), {"cock": -8 * sign})
    talk = _merge(ear, {"nod": 8, "look": 10 * sign})
    return actor.perform([(0.15, REST), (0.6, ear), (0.6, talk), (0.7, ear), (0.55, REST)])


@action("salute", sides=LEFT_RIGHT)
def _salute(actor: Actor) -> Take:
    up = _merge(reach(actor.spec.side, (-0.07, 0.2, 0.14), (1.0, -0.1, 0.15)), {"bend": -4})
    return actor.perform([(0.2, REST), (0.4, up), (0.9, up), (0.4, REST)])


@action("scratch_head", sides=LEFT_RIGHT)
def _scratch_head(actor: Actor) -> Take:
    sign = _shoulder_sign(actor.spec.side)
    tilt = {"nod": 12, "cock": -6 * sign}
    a = _merge(reach(actor.spec.side, (-0.12, 0.27, 0.02), (1.0, 0.0, 0.2)), tilt)
    b = _merge(reach(actor.spec.side, (-0.14, 0.24, -0.02), (1.0, 0.0, 0.2)), tilt)
    return actor.perform([(0.15, REST), (0.6, a), *[(0.17, b), (0.17, a)] * 4, (0.6, REST)])


@action("point", sides=LEFT_RIGHT, directions=("forward", "sideways", "up"), tempos=("", "fast"))
def _point(actor: Actor) -> Take:
    side, sign = actor.spec.side, _shoulder_sign(actor.spec.side)
    out = {
        "forward": _merge(arm(side, flex=86, abduct=0, inward=0, elbow=6), {"twist": -8 * sign}),
        "sideways": _merge(arm(side, flex=4, abduct=86, inward=0, elbow=6), {"look": 55 * sign}),
        "up": _merge(arm(side, flex=150, abduct=12, inward=0, elbow=6), {"nod": -26, "bend": -4}),
    }[actor.spec.direction]
    return actor.perform([(0.2, REST), (0.45, out), (0.9, out), (0.5, REST)])


@action("arm_circle", sides=ANY_ARM, directions=("forward", "backward"), counts=(2, 3, 4),
        tempos=("", "slow"))  # fmt: skip
def _arm_circle(actor: Actor) -> Take:
    count = actor.spec.count
    lead, seconds, back = 0.25, count * 0.85 * actor.pace, 0.4
    take = actor.take(lead + seconds + back)
    share = np.clip((take.t - lead) / seconds, 0, 1)
    turns = count * (0.25 * ease(share) + 0.75 * share)
    on = ease((take.t - lead + 0.2) / 0.4) * ease((lead + seconds + 0.2 - take.t) / 0.4)
    sense = -1.0 if actor.spec.direction == "forward" else 1.0
    for side in both(actor.spec.side):
        take.add(f"{side}_flex", sense * 2 * np.pi * turns)
        take.add(f"{side}_abduct", on * np.radians(10))
        take.add(f"{side}_elbow", -0.15 * on)
        take.add(f"{side}_inward", -0.3 * on)
    return take


@action("wipe", sides=LEFT_RIGHT, counts=(3, 4), tempos=("", "fast"))
def _wipe(actor: Actor) -> Take:
    side = actor.spec.side
    spots = [(0.06, 0.02, 0.42), (0.14, 0.2, 0.38), (-0.02, 0.3, 0.36), (-0.14, 0.14, 0.4)]
    strokes = [(0.2, reach(side, spot, (0.6, -1.0, 0.0))) for spot in spots]
    return actor.stroke((0.55, strokes[-1][1]), strokes, 0.55)


@action("swing_bat", sides=LEFT_RIGHT, tempos=("", "fast"))
def _swing_bat(actor: Actor) -> Take:
    """Both hands from the side opposite to the spec's, through, to the spec's side."""
    sign = _shoulder_sign(actor.spec.side)
    near, far = actor.spec.side, other(actor.spec.side)
    start = _merge(reach(far, (0.0, 0.04, 0.16), (1.0, -0.6, -0.4)),
                   reach(near, (-0.34, 0.0, 0.2), (0.6, -1.0, 0.2)),
                   {"twist": -44 * sign, "turn": -22 * sign, "look": 58 * sign,
                    "shift": -0.06 * sign, "height": -0.06})  # fmt: skip
    hit = _merge(reach("both", (-0.17, -0.2, 0.42), (0.7, -1.0, 0.0)),
                 {"turn": 4 * sign, "twist": 6 * sign, "height": -0.08, "bend": 10})  # fmt: skip
    end = _merge(reach(near, (0.04, 0.1, 0.16), (1.0, -0.6, -0.4)),
                 reach(far, (-0.32, 0.1, 0.22), (0.6, -1.0, 0.2)),
                 {"twist": 52 * sign, "turn": 26 * sign, "look": -30 * sign, "shift": 0.06 * sign,
                  "height": -0.04})  # fmt: skip
    return actor.perform(
        [
            (0.2, REST),
            (0.7, start),
            (0.2, start),
            (0.18, hit),
            (0.2, end),
            (0.35, end),
            (0.65, REST),
        ]
    )


@action("chop", counts=(1, 2, 3), tempos=("", "slow"))
def _chop(actor: Actor) -> Take:
    up = _merge(reach("both", (-0.15, 0.36, -0.02), (1.0, 0.2, 0.6)), {"bend": -10, "nod": -6})
    low = _merge(reach("both", (-0.17, -0.26, 0.4), (0.6, -1.0, 0.0)),
                 {"pitch": 26, "bend": 36, "height": -0.16, "ahead": -0.06})  # fmt: skip
    return actor.stroke((0.2, REST), [(0.62, up), (0.08, up), (0.4, low), (0.22, low)], 0.65)


@action("shoot_basket", counts=(1,))
def _shoot_basket(actor: Actor) -> Take:
    take = actor.take(3.4)
    off, hit, end = take.jump(0.35, 0.09, crouch=0.24)
    ball = reach("both", (-0.1, -0.12, 0.26), (0.8, -1.0, -0.2))
    head = reach("both", (-0.1, 0.26, 0.2), (0.8, -0.6, 0.6))
    shot = reach("both", (-0.06, 0.46, 0.2), (0.8, 0.0, 0.6))
    take.poses([(0.45, ball), (off - 0.12, ball), (off + 0.04, head), (off + 0.2, shot),
                (hit + 0.15, shot), (end + 0.2, REST)])  # fmt: skip
    return _cut(take, end + 0.25)


@action("lift_box", tempos=("", "slow"), directions=("chest", "overhead"))
def _lift_box(actor: Actor) -> Take:
    low = _merge({"height": -0.44, "ahead": -0.2, "pitch": 44, "bend": 32, "nod": -16},
                 reach("both", (0.0, -0.2, 0.44), (0.8, -0.8, 0.0)))  # fmt: skip
    hold = _merge(reach("both", (0.0, -0.2, 0.28), (0.8, -1.0, -0.2)), {"bend": -6})
    goal = hold
    if actor.spec.direction == "overhead":
        goal = _merge(reach("both", (0.0, 0.47, 0.1), (1.0, 0.0, 0.5)), {"bend": -8, "nod": -12})
    return actor.perform(
        [(0.2, REST), (0.85, low), (0.2, low), (0.85, hold), (0.6, goal), (0.6, goal), (0.65, REST)]
    )


@action("guitar", tempos=("", "fast"), sides=LEFT_RIGHT)
def _guitar(actor: Actor) -> Take:
    """The hand of the spec's side strums."""
    strum, neck = actor.spec.side, other(actor.spec.side)
    fret = reach(neck, (0.16, -0.12, 0.3), (0.5, -1.0, -0.1))
    a = _merge(reach(strum, (-0.12, -0.28, 0.2), (1.0, -0.4, -0.4)), fret)
    b = _merge(
        reach(strum, (-0.1, -0.4, 0.18), (1.0, -0.4, -0.4)), fret, {"height": -0.02, "nod": 8}
    )
    return actor.perform([(0.6, a), *[(0.2, b), (0.2, a)] * 5, (0.55, REST)])


@action("drums", tempos=("", "fast"))
def _drums(actor: Actor) -> Take:
    up = {side: reach(side, (-0.02, -0.02, 0.3), (0.8, -1.0, -0.2)) for side in LEFT_RIGHT}
    down = {side: reach(side, (-0.02, -0.24, 0.34), (0.8, -1.0, -0.2)) for side in LEFT_RIGHT}
    a = _merge(up["left"], down["right"], {"nod": 10, "bend": 8})
    b = _merge(down["left"], up["right"], {"nod": 2, "bend": 8})
    return actor.perform([(0.5, a), *[(0.2, b), (0.2, a)] * 5, (0.5, REST)])


# Dances


@action("dance_sway", tempos=ANY_TEMPO)
def _dance_sway(actor: Actor) -> Take:
    def swayed(sign: Number) -> Pose:
        low, high = ("left", "right") if sign > 0 else ("right", "left")
        return _merge(
            {"shift": 0.11 * sign, "roll": 9 * sign, "tilt": -14 * sign, "height": -0.05,
             "twist": 12 * sign, "cock": -6 * sign},
            arm(low, flex=20, abduct=28, elbow=75),
            arm(high, flex=60, abduct=34, elbow=85),
        )  # fmt: skip

    swings = [(0.42, swayed(1)), (0.42, swayed(-1))] * 3
    return actor.perform([(0.2, REST), *swings, (0.5, REST)])


@action("dance_twist", tempos=("", "fast"))
def _dance_twist(actor: Actor) -> Take:
    def twisted(sign: Number) -> Pose:
        return _merge(
            {"turn": 30 * sign, "twist": -58 * sign, "height": -0.14, "bend": 8, "look": 26 * sign,
             "pitch": 6},
            arm("left", flex=30 - 22 * sign, abduct=30, elbow=85),
            arm("right", flex=30 + 22 * sign, abduct=30, elbow=85),
        )  # fmt: skip

    swings = [(0.32, twisted(1)), (0.32, twisted(-1))] * 4
    return actor.perform([(0.2, REST), *swings, (0.5, REST)])


@action("dance_disco", sides=LEFT_RIGHT, counts=(2, 3, 4))
def _dance_disco(actor: Actor) -> Take:
    """One arm points up to its side, then across down to the opposite hip."""
    side, sign = actor.spec.side, _shoulder_sign(actor.spec.side)
    rest = _on_hips(other(side))
    up = _merge(
        arm(side, abduct=132, flex=6, inward=-20, elbow=6),
        rest,
        {"shift": 0.07 * sign, "roll": 6 * sign, "tilt": -8 * sign, "look": 22 * sign},
    )
    down = _merge(reach(side, (-0.3, -0.34, 0.22), (0.6, -0.6, 0.4)), rest,
                  {"shift": -0.06 * sign, "roll": -6 * sign, "tilt": 5 * sign, "height": -0.05,
                   "twist": -14 * sign})  # fmt: skip
    return actor.stroke((0.15, REST), [(0.42, up), (0.1, up), (0.42, down), (0.05, down)], 0.5)


@action("dance_step", sides=LEFT_RIGHT, counts=(2, 3), tempos=("", "fast"))
def _dance_step(actor: Actor) -> Take:
    """Step to a side and back, arms swinging along."""
    sign, foot = _shoulder_sign(actor.spec.side), footing_of(actor.spec.side)
    beat = 0.45 * actor.pace
    take = actor.take(0.3 + 2 * actor.spec.count * beat + 0.5)
    home, yaw = take.footing(foot, (0.0, 0.0, 0.0))
    out = _merge(arm("both", abduct=66, flex=20, elbow=35),
                 {"shift": 0.17 * sign, "height": -0.07, "tilt": -5 * sign})  # fmt: skip
    into = _merge(arm("both", abduct=12, flex=40, inward=45, elbow=70), {"height": -0.03})
    keys: list[tuple[float, Pose]] = [(0.2, REST)]
    now = 0.2
    for _ in range(actor.spec.count):
        away = home + np.array([0.42 * sign, 0, 0])
        take.step(foot, now + 0.08, now + beat, away, yaw, lift=0.07, off=14, land=0)
        keys.append((now + beat + 0.03, out))
        take.step(foot, now + beat + 0.08, now + 2 * beat, home, yaw, lift=0.07, off=14, land=0)
        keys.append((now + 2 * beat + 0.03, into))
        now += 2 * beat
    take.poses([*keys, (now + 0.45, REST)])
    return take
