"""A small grammar: sentences that tell what a composition of actions looks like.

Every sentence names every attribute of every action, and the order of the actions, so that it
describes its motion and not its neighbors.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tmr.synthetic.clip_builder import Spec

# Verbs stand in angle brackets and are inflected; words in braces are attributes.
_PHRASES: dict[str, tuple[str, ...]] = {
    "walk": (
        "<walk> {direction} {pace} {amplitude}",
        "{pace} <walk> {direction} {amplitude}",
        "<take> {steps} {direction} {pace}",
    ),
    "curve": (
        "<walk> in a curve to the {side} {pace}",
        "{pace} <walk> forward and <veer> to the {side}",
        "<walk> and <turn> {side} {pace}",
        "<walk> along an arc that bends to the {side} {pace}",
        "{pace} <walk> forward and then <turn> to the {side}",
        "<walk> and <make> a {side} turn {pace}",
    ),
    "circle": (
        "<walk> in a full circle to the {side} {pace}",
        "{pace} <walk> around in a circle, turning {side} all the way",
        "<make> a complete round on foot to the {side} {pace}",
    ),
    "run": (
        "<run> {direction} {pace} {amplitude}",
        "{pace} <jog> {direction} {amplitude}",
    ),
    "run_curve": (
        "<run> in a curve to the {side}",
        "<jog> forward and <veer> to the {side}",
        "<run> along an arc that bends to the {side}",
    ),
    "jog_in_place": (
        "<jog> in place {pace}",
        "<run> on the spot {pace}",
        "{pace} <jog> without moving from the spot",
    ),
    "march": (
        "<march> in place with high knees {pace}",
        "{pace} <march> on the spot, lifting the knees high",
    ),
    "tiptoe": (
        "<tiptoe> {direction} {pace}",
        "<walk> {direction} on tiptoe {pace}",
        "{pace} <walk> {direction} on the toes",
    ),
    "sneak": (
        "<sneak> {direction} in a crouch {pace}",
        "{pace} <creep> {direction}, bent low",
        "<walk> {direction} crouched like a thief {pace}",
    ),
    "limp": (
        "<limp> {direction} with a bad {side} leg",
        "<walk> {direction}, limping on the {side} leg",
        "<hobble> {direction} on a hurt {side} leg",
    ),
    "turn": (
        "<turn> {direction} to the {side} {pace}",
        "{pace} <turn> {direction} to the {side} on the spot",
        "<rotate> {direction} to the {side} in place {pace}",
    ),
    "sidestep": (
        "<step> sideways to the {side} {times} {pace} {amplitude}",
        "{pace} <sidestep> to the {side} {times}",
        "<shuffle> to the {side} {times} {pace}",
    ),
    "jump": (
        "<jump> {amplitude} {direction} {times}",
        "<leap> {amplitude} {direction} with both feet {times}",
        "<make> {amplitude_adjective} jump {direction} {times}",
    ),
    "jump_turn": (
        "<jump> and <turn> {direction} to the {side} in the air",
        "<do> a jump with {turned} to the {side}",
        "<spin> {direction} to the {side} during a jump",
    ),
    "hop": (
        "<hop> {direction} on the {side} leg {times}",
        "<hop> {times} {direction} on the {side} foot",
        "<bounce> {direction} on the {side} leg only {times}",
    ),
    "jumping_jack": (
        "<do> {number} jumping jacks {pace}",
        "<perform> {number} star jumps {pace}",
        "{pace} <jump> with the arms and legs going out and in {times}",
    ),
    "kick": (
        "<kick> {amplitude} {direction} with the {side} leg {times}",
        "<kick> the {side} foot {amplitude} {direction} {times}",
        "<do> {amplitude_adjective} kick {direction} with the {side} foot {times}",
    ),
    "knee_raise": (
        "<raise> the {side_knee} {times} {pace}",
        "<lift> the {side_knee} up to the waist {times} {pace}",
        "{pace} <pull> up the {side_knee} {times}",
    ),
    "balance": (
        "<balance> on the {side} leg with the arms spread",
        "<stand> on the {side} leg only, arms out to the sides",
        "<keep> the balance on the {side} foot",
    ),
    "stomp": (
        "<stomp> with the {side} foot {times} {pace}",
        "<stamp> the {side} foot on the ground {times} {pace}",
    ),
    "lunge": (
        "<lunge> {direction} with the {side} leg {pace}",
        "{pace} <do> a lunge {direction} with the {side} leg",
        "<step> {direction} into a lunge with the {side} foot {pace}",
    ),
    "kneel": (
        "<kneel> on the {side} knee and <get> up again {pace}",
        "{pace} <go> down on the {side} knee and <rise>",
    ),
    "kneel_stay": (
        "<kneel> down on the {side} knee",
        "<go> down on the {side} knee and <stay> there",
        "<drop> to the {side} knee and <remain> kneeling",
    ),
    "squat": (
        "<squat> {amplitude} {times} {pace}",
        "<do> {amplitude_adjective} squat {times} {pace}",
        "{pace} <bend> the knees {amplitude} into a squat {times}",
    ),
    "sit": (
        "<sit> down {pace} and <stay> seated",
        "{pace} <take> a seat and <remain> there",
        "<sit> down on a chair {pace} to stay",
    ),
    "sit_stand": (
        "<sit> down and <stand> up again {pace}",
        "{pace} <take> a seat and <get> back up",
    ),
    "bow": (
        "<bow> {amplitude} {times} {pace}",
        "<take> {amplitude_adjective} bow {times} {pace}",
        "{pace} <bend> the upper body {amplitude} forward in a bow {times}",
    ),
    "pick_up": (
        "<pick> something up from the floor {direction} with {hand} {pace}",
        "{pace} <lift> an object off the ground {direction} using {hand}",
        "<reach> down {direction} and <grab> a thing from the floor with {hand} {pace}",
    ),
    "touch_toes": (
        "<touch> the toes {times} {pace}",
        "<raise> the arms and <bend> down to the toes {times} {pace}",
    ),
    "look": (
        "<look> {looked} {pace}",
        "{pace} <turn> the head {looked}",
    ),
    "shrug": (
        "<shrug> {times}",
        "<raise> the shoulders in a shrug {times}",
    ),
    "side_bend": (
        "<bend> sideways to the {side} {times} {pace}",
        "<lean> the upper body over to the {side} {times} {pace}",
        "{pace} <stretch> to the {side} side {times}",
    ),
    "twist": (
        "<twist> the upper body {twisted} {times} with the arms out {pace}",
        "<rotate> the torso {twisted} {times}, arms spread {pace}",
    ),
    "stretch": (
        "<stretch> both arms up on the toes {pace}",
        "{pace} <reach> up high with the whole body, rising on the toes",
    ),
    "wave": (
        "<wave> with {hand} {amplitude} {pace}",
        "<wave> {hand} {amplitude} {pace}",
        "<wave> with {arm} {amplitude} {pace}",
        "<wave> {limb} {amplitude} {pace} at somebody",
        "<wave> hello with {limb} {amplitude} {pace}",
        "{pace} <greet> somebody by waving {limb} {amplitude}",
    ),
    "raise": (
        "<raise> {limb} {direction} {times} {pace}",
        "<lift> {limb} {direction} {times} {pace}",
        "<put> {limb} up {direction} {times} {pace}",
        "{pace} <bring> {limb} up {direction} {times}",
    ),
    "clap": (
        "<clap> {direction} {times} {pace}",
        "<clap> the hands {direction} {times} {pace}",
        "{pace} <bring> the palms together {direction} {times}",
    ),
    "punch": (
        "<throw> {punch} with {fist} {times} {pace}",
        "<punch> {punched} with {fist} {times} {pace}",
    ),
    "throw": (
        "<throw> a ball {direction} with the {side} hand",
        "<make> an {direction} throw with the {side} arm",
        "<toss> something {direction} using the {side} hand",
    ),
    "push": (
        "<push> something away with {hand} {times} {pace}",
        "<push> forward with {hand} {times} {pace}",
        "{pace} <shove> with {hand} {times}",
    ),
    "pull_rope": (
        "<pull> a rope with both hands {times} {pace}",
        "<haul> on a rope {times} {pace}",
    ),
    "hands_on_hips": (
        "<put> {hand} on the {hip}",
        "<place> {hand} on the {hip}",
        "<stand> with {hand} on the {hip}",
    ),
    "cross_arms": (
        "<cross> the arms in front of the chest",
        "<fold> the arms",
    ),
    "drink": (
        "<drink> from a glass in the {side} hand {times}",
        "<take> a sip with the {side} hand {times}",
        "<lift> a cup to the mouth with the {side} hand {times}",
    ),
    "phone": (
        "<hold> a phone to the {side} ear",
        "<make> a phone call with the {side} hand",
        "<talk> on the phone held in the {side} hand",
    ),
    "salute": (
        "<salute> with the {side} hand",
        "<give> a military salute with the {side} hand",
    ),
    "scratch_head": (
        "<scratch> the head with the {side} hand",
        "<rub> the top of the head with the {side} hand",
    ),
    "point": (
        "<point> {direction} with the {side} hand {pace}",
        "{pace} <point> the {side} arm {direction}",
    ),
    "arm_circle": (
        "<circle> {arm} {direction} {times} {pace}",
        "<swing> {arm} in {direction} circles {times} {pace}",
        "{pace} <draw> large {direction} circles with {arm} {times}",
    ),
    "wipe": (
        "<wipe> a window with the {side} hand in circles {times} {pace}",
        "<clean> a pane in circles with the {side} hand {times} {pace}",
    ),
    "swing_bat": (
        "<swing> a bat to the {side} {pace}",
        "<hit> a ball with a bat swung to the {side} {pace}",
    ),
    "chop": (
        "<chop> wood with an axe {times} {pace}",
        "<swing> an axe down from above the head {times} {pace}",
    ),
    "shoot_basket": (
        "<shoot> a basketball",
        "<jump> and <throw> a ball at a basket with both hands",
    ),
    "lift_box": (
        "<lift> a heavy box from the floor {direction} {pace}",
        "{pace} <heave> a crate off the ground {direction} with both hands",
    ),
    "guitar": (
        "<play> the guitar, strumming with the {side} hand {pace}",
        "<strum> a guitar with the {side} hand {pace}",
    ),
    "drums": (
        "<play> the drums {pace}",
        "<beat> a drum with both hands in turn {pace}",
    ),
    "dance_sway": (
        "<dance> by swaying the hips from side to side {pace}",
        "{pace} <sway> from side to side in a dance",
    ),
    "dance_twist": (
        "<dance> the twist {pace}",
        "<twist> the hips in a dance with bent knees {pace}",
    ),
    "dance_disco": (
        "<dance> disco, pointing up with the {side} hand {times}",
        "<do> the disco move with the {side} arm up and down {times}",
    ),
    "dance_step": (
        "<dance> with steps to the {side} and back {times} {pace}",
        "<do> a dance step to the {side} and in again {times} {pace}",
    ),
}

_TIMES = {
    0: ("",), 1: ("once", "one time"), 2: ("twice", "two times"), 3: ("three times",),
    4: ("four times",), 5: ("five times",),
}  # fmt: skip
_NUMBERS = {2: "two", 3: "three", 4: "four", 5: "five"}
_PACES = {"": ("",), "slow": ("slowly",), "fast": ("quickly", "fast", "rapidly")}
_PACES_BEFORE = {"": ("",), "slow": ("slowly",), "fast": ("quickly", "rapidly")}
_CARRIES = {
    "": ("",),
    "wave left": ("while waving the left hand", "waving with the left hand"),
    "wave right": ("while waving the right hand", "waving with the right hand"),
    "clap": ("while clapping", "clapping the hands all along"),
    "hips": ("with both hands on the hips", "while keeping the hands on the hips"),
    "raised": ("with both arms held up", "while holding the arms above the head"),
    "stretched": ("with both arms stretched out in front", "while holding the arms out forward"),
}
_TURNS = {
    "quarter": ("a quarter turn", "90 degrees"),
    "half": ("halfway around", "180 degrees"),
    "full": ("all the way around", "360 degrees"),
}
_AHEAD = {
    "forward": ("forward", "forwards", "straight ahead", "in a straight line"),
    "backward": ("backward", "backwards"),
}
_DIRECTIONS: dict[str, Mapping[str, tuple[str, ...]]] = {
    "walk": _AHEAD,
    "run": _AHEAD,
    "jump": {
        "up": ("up", "straight up"), "forward": ("forward",), "backward": ("backward",),
        "left": ("to the left",), "right": ("to the right",),
    },
    "turn": _TURNS,
    "jump_turn": _TURNS,
    "kick": {"forward": ("forward", "to the front"), "sideways": ("sideways", "out to the side"),
             "backward": ("backward", "behind")},
    "hop": {"in place": ("in place", "on the spot"), "forward": ("forward",)},
    "pick_up": {"front": ("in front",), "left": ("on the left side", "to the left"),
                "right": ("on the right side", "to the right")},
    "raise": {"up": ("",), "forward": ("forward", "to the front"),
              "sideways": ("sideways", "out to the side"),
              "overhead": ("overhead", "above the head", "in the air")},
    "clap": {"front": ("in front of the chest",), "overhead": ("overhead", "above the head")},
    "point": {"forward": ("forward", "straight ahead"), "sideways": ("sideways", "to the side"),
              "up": ("up", "toward the sky")},
    "lift_box": {"chest": ("up to the chest",), "overhead": ("above the head", "overhead")},
}  # fmt: skip
_AMPLITUDES: dict[str, Mapping[str, tuple[str, ...]]] = {
    "walk": {"small": ("for two steps",), "big": ("for a long way", "for many steps")},
    "run": {"small": ("a short way", "for a few steps"), "big": ("a long way", "for many steps")},
    "jump": {"big": ("high",)},
    "kick": {"small": ("low",), "big": ("high",)},
    "squat": {"small": ("halfway",), "": ("deeply",)},
    "bow": {"small": ("slightly", "a little"), "big": ("deeply", "very low")},
    "wave": {"big": ("high above the head",)},
}
_ADJECTIVES: dict[str, Mapping[str, str]] = {
    "kick": {"small": "a low", "": "a", "big": "a high"},
    "squat": {"small": "a half", "": "a deep"},
    "jump": {"": "a", "big": "a high"},
    "bow": {"small": "a slight", "": "a", "big": "a deep"},
}
_PUNCHES = {
    "straight": (("straight punches", "jabs"), ("straight ahead",)),
    "hook": (("hooks", "hook punches"), ("in a hook from the side",)),
    "uppercut": (("uppercuts",), ("upward in an uppercut",)),
}
# Whose words make no sense, or say something else, without it.
_NEED_DIRECTION = ("punch", "throw", "jump_turn", "lift_box")
_NEED_AMPLITUDE = ("walk", "run", "squat")
_NEED_COUNT = ("raise",)  # again and again, it could be taken for waving
_SUBJECTS = ("a person", "someone", "the person", "a man", "a woman", "the figure")
_GERUNDS = {
    "run": "running", "jog": "jogging", "step": "stepping", "sidestep": "sidestepping",
    "hop": "hopping", "spin": "spinning", "squat": "squatting", "sit": "sitting", "get": "getting",
    "put": "putting", "grab": "grabbing", "clap": "clapping", "chop": "chopping", "hit": "hitting",
    "swing": "swinging", "rub": "rubbing", "drop": "dropping", "tiptoe": "tiptoeing",
    "strum": "strumming", "beat": "beating", "shrug": "shrugging",
}  # fmt: skip


def captions(composition: Sequence[Spec], rng: np.random.Generator) -> list[str]:
    """Three or four different sentences for the same composition."""
    return _different(int(rng.integers(3, 5)), 60, lambda: _sentence(composition, rng))


def brief_captions(composition: Sequence[Spec], rng: np.random.Generator) -> list[str]:
    """Up to two sentences as people write them who see no other motion.

    They leave out attributes that are not needed to know what is done, the side never.
    """
    return _different(2, 6, lambda: _sentence([_shortened(spec, rng) for spec in composition], rng))


def _different(wanted: int, tries: int, sentence: Callable[[], str]) -> list[str]:
    """So many different sentences, or those that come in so many tries."""
    found: list[str] = []
    for _ in range(tries):
        told = sentence()
        if told not in found:
            found.append(told)
        if len(found) == wanted:
            break
    return found


def _shortened(spec: Spec, rng: np.random.Generator) -> Spec:
    """The spec without most of what its words can do without."""
    left_out: dict[str, Any] = {"tempo": ""}
    if spec.action not in _NEED_COUNT or spec.count == 1:
        left_out["count"] = 0
    if spec.action not in _NEED_DIRECTION and spec.direction != "backward":
        left_out["direction"] = ""
    if spec.action not in _NEED_AMPLITUDE:
        left_out["amplitude"] = ""
    return replace(spec, **{name: v for name, v in left_out.items() if rng.random() < 0.75})


def phrase(spec: Spec, rng: np.random.Generator) -> str:
    """One action as a sentence of its own, without a subject: "waves with the left hand"."""
    return _inflect(_wording(spec, rng), "third")


def _sentence(composition: Sequence[Spec], rng: np.random.Generator) -> str:
    subject = str(rng.choice(_SUBJECTS))
    wordings = [_wording(spec, rng) for spec in composition]
    third = [_inflect(wording, "third") for wording in wordings]
    gerund = [_inflect(wording, "gerund") for wording in wordings]
    if len(wordings) == 1:
        forms = [f"{subject} {third[0]}", f"{subject} is {gerund[0]}"]
    elif len(wordings) == 2:
        forms = [
            f"{subject} {third[0]}, then {third[1]}",
            f"{subject} {third[0]} and then {third[1]}",
            f"{subject} first {third[0]}, and after that {third[1]}",
            f"{subject} {third[0]} before {gerund[1]}",
            f"after {gerund[0]}, {subject} {third[1]}",
        ]
    else:
        forms = [
            f"{subject} {third[0]}, then {third[1]}, and finally {third[2]}",
            f"{subject} {third[0]}, {third[1]} and then {third[2]}",
            f"{subject} first {third[0]}, next {third[1]}, and at the end {third[2]}",
            f"after {gerund[0]}, {subject} {third[1]} and then {third[2]}",
        ]
    return str(rng.choice(forms)) + "."


def _wording(spec: Spec, rng: np.random.Generator) -> str:
    def draw(options: Sequence[str]) -> str:
        return str(options[int(rng.integers(len(options)))])

    name = spec.action
    template = draw(_suitable(spec))
    one = {"left": "the left", "right": "the right"}
    hand = "both hands" if spec.side == "both" else f"{one.get(spec.side, '')} hand"
    arm = "both arms" if spec.side == "both" else f"{one.get(spec.side, '')} arm"
    turned = draw(_TURNS.get(spec.direction, ("",)))
    punch, punched = _PUNCHES.get(spec.direction, (("",), ("",)))
    alternating = spec.side == "alternating"
    amplitude = draw(_AMPLITUDES.get(name, {}).get(spec.amplitude, ("",)))
    paces = _PACES_BEFORE if template.startswith("{pace}") else _PACES
    slots = {
        "side": spec.side,
        "hand": hand,
        "arm": arm,
        "limb": draw((hand, arm)),
        "fist": "alternating fists" if alternating else f"{one.get(spec.side, '')} fist",
        "side_knee": "left and right knee in turn" if alternating else f"{spec.side} knee",
        "twisted": "left and right in turn" if alternating else f"to the {spec.side}",
        "looked": "around to both sides" if spec.side == "around" else f"to the {spec.side}",
        "hip": "hips" if spec.side == "both" else "hip",
        "direction": draw(_DIRECTIONS.get(name, {}).get(spec.direction, (spec.direction,))),
        "turned": {"a quarter turn": "a quarter turn", "90 degrees": "a turn of 90 degrees",
                   "halfway around": "a half turn"}.get(turned, "a turn of 180 degrees"),
        "punch": draw(punch),
        "punched": draw(punched),
        "times": draw(_TIMES[spec.count]),
        "number": _NUMBERS.get(spec.count, ""),
        "pace": draw(paces[spec.tempo]),
        "amplitude": amplitude,
        "amplitude_adjective": _ADJECTIVES.get(name, {}).get(spec.amplitude, "a"),
        "steps": {"small": "two steps", "": "a few steps", "big": "many steps"}[spec.amplitude],
    }  # fmt: skip
    if name == "arm_circle" and "circles" in template:
        slots["direction"] = spec.direction
    words = f"{template.format(**slots)} {draw(_CARRIES[spec.carry])}"
    return re.sub(r"\s+", " ", words).replace(" ,", ",").strip()


def _suitable(spec: Spec) -> list[str]:
    """The templates that can tell every attribute of the spec that others cannot be taken for."""
    templates = list(_PHRASES[spec.action])
    if spec.action == "punch" and spec.count == 1:
        return [template for template in templates if "{punched}" in template]
    return templates


def _inflect(wording: str, form: str) -> str:
    return re.sub(r"<(\w+)>", lambda found: _verb(found[1], form), wording)


def _verb(verb: str, form: str) -> str:
    if form == "third":
        if verb in ("do", "go") or verb.endswith(("s", "sh", "ch", "x")):
            return verb + "es"
        return verb + "s"
    if verb in _GERUNDS:
        return _GERUNDS[verb]
    return (verb[:-1] if verb.endswith("e") and not verb.endswith("ee") else verb) + "ing"
