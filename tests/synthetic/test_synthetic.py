"""The embedded motions: bodies that keep together, feet that hold, sides that are what they say."""

import hashlib
import re
from pathlib import Path

import numpy as np
import orjson
import pytest

from tests.motion import reference_features as reference
from tmr.errors import InputError
from tmr.motion.features import features_to_joints, joints_to_features
from tmr.motion.skeleton import BONE_LENGTHS, FPS, PARENTS, joint
from tmr.synthetic.actions import ACTIONS
from tmr.synthetic.body import REFERENCE, STANDING, Build
from tmr.synthetic.captions import brief_captions, captions
from tmr.synthetic.clip_builder import Spec, Style, swap_sides
from tmr.synthetic.dataset import (
    CorpusSize,
    Entry,
    canonical,
    dissimilar,
    make,
    mirrored,
    plan,
    synthesize,
)
from tmr.synthetic.sequences import Motion, animate

ANKLES = (joint("left_ankle"), joint("right_ankle"))
BALLS = (joint("left_foot"), joint("right_foot"))
WRISTS = {"left": joint("left_wrist"), "right": joint("right_wrist")}


def filmed(*composition: Spec, seed: int = 0) -> Motion:
    return animate(composition, np.random.default_rng(seed))


@pytest.fixture(scope="module")
def sample() -> dict[tuple[Spec, ...], Motion]:
    """Two ways to do each action, and a few sequences."""
    rng = np.random.default_rng(7)
    compositions = []
    for name, action in ACTIONS.items():
        specs = action.specs(name)
        compositions += [(specs[int(i)],) for i in rng.choice(len(specs), min(2, len(specs)))]
    entries = plan(CorpusSize(motions=500, test=40, val=20), seed=1)
    compositions += [e.composition for e in entries if len(e.composition) > 1][:20]
    return {c: animate(c, np.random.default_rng(i)) for i, c in enumerate(compositions)}


def angle_at(joints: np.ndarray, a: str, b: str, c: str) -> np.ndarray:
    first = joints[:, joint(a)] - joints[:, joint(b)]
    second = joints[:, joint(c)] - joints[:, joint(b)]
    cosine = (first * second).sum(-1)
    cosine /= np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def test_bones_have_the_lengths_of_the_reference_skeleton(sample):
    for motion in sample.values():
        bones = motion.joints[:, 1:] - motion.joints[:, list(PARENTS[1:])]
        lengths = np.linalg.norm(bones, axis=-1)
        assert np.abs(lengths - BONE_LENGTHS[1:]).max() < 1e-9


def test_planted_feet_do_not_slide(sample):
    """The ankle (rolling over the heel) or the ball (rolling over the toes) is below 1 cm/s."""
    for composition, motion in sample.items():
        speed = np.linalg.norm(np.diff(motion.joints, axis=0), axis=-1) * FPS
        still = motion.planted[1:] & motion.planted[:-1]
        for foot in range(2):
            slide = np.minimum(speed[:, ANKLES[foot]], speed[:, BALLS[foot]])
            assert slide[still[:, foot]].max(initial=0) < 0.01, composition


def test_the_floor_is_at_zero_and_nobody_sinks_into_it(sample):
    for composition, motion in sample.items():
        assert -0.01 < motion.joints[..., 1].min() < 0.01, composition
        balls = motion.joints[:, list(BALLS), 1]
        assert np.abs(balls[motion.planted]).max() < 0.08, composition


def test_knees_and_elbows_bend_the_human_way_only(sample):
    for composition, motion in sample.items():
        joints = motion.joints
        for side in ("left", "right"):
            knee = angle_at(joints, f"{side}_hip", f"{side}_knee", f"{side}_ankle")
            elbow = angle_at(joints, f"{side}_shoulder", f"{side}_elbow", f"{side}_wrist")
            assert knee.min() > 35 and elbow.min() > 25, composition
            # The knee lies in front of the line from hip to ankle, seen from the pelvis.
            hip, ankle = joints[:, joint(f"{side}_hip")], joints[:, joint(f"{side}_ankle")]
            lateral = joints[:, joint("left_hip")] - joints[:, joint("right_hip")]
            front = np.cross(ankle - hip, lateral)
            bend = ((joints[:, joint(f"{side}_knee")] - hip) * front).sum(-1)
            assert (bend > -1e-6).all(), composition


def test_speeds_and_accelerations_are_those_of_people(sample):
    for composition, motion in sample.items():
        velocity = np.diff(motion.joints, axis=0) * FPS
        assert np.linalg.norm(velocity, axis=-1).max() < 12, composition
        acceleration = np.linalg.norm(np.diff(velocity, axis=0), axis=-1) * FPS
        assert acceleration.max() < 200, composition
        trunk = [joint("pelvis"), joint("spine3"), joint("neck")]
        assert acceleration[:, trunk].max() < 60, composition


def test_actions_of_a_sequence_join_without_a_jerk():
    rng = np.random.default_rng(5)
    calm = [
        Spec("shrug", count=2),  # arms that rise to wave begin faster than this test allows
        Spec("bow", count=1),
        Spec("look", side="right"),
        Spec("clap", direction="front", count=2),
        Spec("turn", side="left", direction="half"),
    ]
    for _ in range(6):
        pair = [calm[int(i)] for i in rng.choice(len(calm), 2, replace=False)]
        motion = animate(tuple(pair), rng)
        seam = round(motion.segments[0][1] * FPS)
        near = motion.joints[max(seam - 3, 0) : seam + 4]
        jerk = np.linalg.norm(np.diff(near, n=2, axis=0), axis=-1) * FPS**2
        assert jerk.max() < 20


def test_jumps_follow_a_ballistic_arc():
    motion = filmed(Spec("jump", direction="up", count=1, amplitude="big"))
    flying = ~motion.planted.any(axis=1)
    height = motion.joints[flying, 0, 1]
    assert len(height) >= 6 and motion.joints[flying][:, list(BALLS), 1].max() > 0.15
    fall = np.diff(height, n=2)[1:-1] * FPS**2
    assert np.allclose(fall, -9.81, atol=2.5)
    assert motion.joints[:, 0, 1].min() < STANDING - 0.15  # crouch and landing


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize(
    "attributes",
    [
        {"action": "wave"},
        {"action": "raise", "direction": "overhead", "count": 1},
        {"action": "raise", "direction": "up", "count": 1},
        {"action": "point", "direction": "up"},
        {"action": "salute"},
        {"action": "phone"},
        {"action": "scratch_head"},
    ],
    ids=lambda attributes: f"{attributes['action']}-{attributes.get('direction', '')}",
)
def test_the_named_hand_is_the_one_that_rises(side, attributes):
    for seed in range(6):
        joints = filmed(Spec(side=side, **attributes), seed=seed).joints
        heights = {name: joints[:, wrist, 1] for name, wrist in WRISTS.items()}
        named, (idle,) = heights.pop(side), heights.values()
        assert named.max() > idle.max() + 0.2  # some hold the idle hand before the body
        assert np.ptp(idle) < 0.25


def test_what_is_raised_is_held_and_what_waves_goes_to_and_fro():
    """Many hold a raised hand where others wave: only the movement tells the two apart."""

    def turns(spec: Spec, seed: int) -> int:
        joints = filmed(spec, seed=seed).joints
        hand = joints[:, WRISTS["left"]] - joints[:, joint("spine3")]
        up = hand[hand[:, 1] > hand[:, 1].max() - 0.25]
        away = up - up.mean(axis=0)
        along = away @ np.linalg.svd(away)[2][0]
        steps = np.diff(along)[np.abs(np.diff(along)) > 0.004]
        return int((np.diff(np.sign(steps)) != 0).sum())

    held = [turns(Spec("raise", side="left", direction="up", count=1), i) for i in range(20)]
    waved = [turns(Spec("wave", side="left", amplitude="big"), i) for i in range(20)]
    assert np.median(held) <= 2
    assert np.median(waved) >= 4


def test_bodies_differ_in_their_directions_alone_and_are_the_same_on_both_sides():
    builds = [Build.draw(np.random.default_rng(seed)) for seed in range(20)]
    for name in ("left_hip", "spine2", "left_shoulder", "head"):
        offsets = np.array([build.offset(name) for build in builds])
        lengths = np.linalg.norm(offsets, axis=1)
        assert np.allclose(lengths, BONE_LENGTHS[joint(name)])
        degrees = np.degrees(
            np.arccos(np.clip(offsets @ REFERENCE.offset(name) / lengths**2, -1, 1))
        )
        assert 3 < degrees.mean() < 12 and degrees.max() < 30
    mirror = np.array([-1, 1, 1])
    own, image = builds[0].offset("left_collar"), builds[0].offset("right_collar")
    np.testing.assert_array_equal(image / BONE_LENGTHS[joint("right_collar")],
                                  own * mirror / BONE_LENGTHS[joint("left_collar")])  # fmt: skip
    for build in builds:
        assert build.offset("spine1")[0] == 0
        assert abs(build.standing_height() - STANDING) < 0.05


def test_people_miss_their_heading_and_stand_in_manners_of_their_own():
    walks = [filmed(Spec("walk", direction="forward"), seed=seed).joints for seed in range(30)]
    ends = np.array([walk[-1, 0] - walk[0, 0] for walk in walks])
    drift = np.degrees(np.arctan2(ends[:, 0], ends[:, 2]))
    assert 1 < drift.std() < 8 and np.abs(drift).max() < 15  # of curves, 25 and more
    styles = [Style.draw(np.random.default_rng(seed)) for seed in range(300)]
    assert 0.2 < np.mean([style.knees > 0 for style in styles]) < 0.4
    for side in range(2):
        elbows = [next(v for k, v in s.arms[side].items() if k.endswith("elbow")) for s in styles]
        assert 0.1 < np.mean([elbow > 45 for elbow in elbows]) < 0.4


def test_without_variety_all_have_one_body_and_the_usual_manner():
    styles = [Style.draw(np.random.default_rng(seed), variety=0.0) for seed in range(100)]
    for name in ("left_hip", "spine2", "right_shoulder", "head"):
        assert all((style.build.offset(name) == REFERENCE.offset(name)).all() for style in styles)
    assert {style.build.standing_height() for style in styles} == {STANDING}
    for still in ("drift", "knees", "bowed"):
        assert {getattr(style, still) for style in styles} == {0.0}
    few = [Style.draw(np.random.default_rng(seed), variety=0.5) for seed in range(300)]
    assert 0.1 < np.mean([style.knees > 0 for style in few]) < 0.2
    one = Entry("00000", "train", (Spec("walk", direction="forward"),), seed=(0,))
    straight, _, _ = make(one, CorpusSize(variety=0.0))
    aside = straight.joints[-1, 0] - straight.joints[0, 0]
    assert abs(np.degrees(np.arctan2(aside[0], aside[2]))) < 2


def test_training_motions_do_often_what_people_often_tell_of():
    entries = plan(CorpusSize(motions=1500, test=100, val=60), seed=3)

    def told(split: str) -> list[Spec]:
        return [spec for e in entries if e.split == split for spec in e.composition]

    def share(name: str, split: str) -> float:
        return float(np.mean([spec.action == name for spec in told(split)]))

    assert share("walk", "train") > 3 * share("salute", "train") > 0
    assert share("wave", "train") > 1.5 * share("salute", "train")
    assert max(share(name, "test") for name in ACTIONS) < 0.08  # 59 actions, all as often
    idle = {  # walks with arms that do nothing else: one of seven if all were drawn alike
        split: np.mean([not spec.carry for spec in told(split) if spec.action in ("walk", "curve")])
        for split in ("train", "test")
    }
    assert 0.45 < idle["train"] < 0.7 and idle["test"] < 0.4


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("action", ["kick", "knee_raise", "stomp", "lunge"])
def test_the_named_foot_is_the_one_that_leaves_the_floor(side, action):
    direction = {"kick": "forward", "lunge": "forward"}.get(action, "")
    spec = Spec(action, side=side, direction=direction, count=2)
    joints = filmed(spec).joints
    path = np.linalg.norm(np.diff(joints[:, list(ANKLES)], axis=0), axis=-1).sum(axis=0)
    named, idle = path if side == "left" else path[::-1]
    assert named > 0.8 and named > 5 * idle


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_hopping_leg_lands_while_the_other_stays_up(side):
    motion = filmed(Spec("hop", side=side, direction="in place", count=3))
    foot = ("left", "right").index(side)
    middle = slice(len(motion.joints) // 3, 2 * len(motion.joints) // 3)
    heights = motion.joints[middle][:, list(ANKLES), 1]
    assert heights[:, foot].min() < 0.1
    assert heights[:, 1 - foot].min() > 0.15


@pytest.mark.parametrize(("side", "sign"), [("left", 1), ("right", -1)])
def test_left_is_plus_x_for_whoever_faces_plus_z(side, sign):
    assert sign * filmed(Spec("sidestep", side=side, count=2)).joints[-1, 0, 0] > 0.5
    assert sign * filmed(Spec("jump", direction=side, count=1)).joints[-1, 0, 0] > 0.2
    turned = filmed(Spec("turn", side=side, direction="quarter")).joints[-1]
    lateral = turned[joint("left_hip")] - turned[joint("right_hip")]
    facing = np.cross(lateral, [0.0, 1.0, 0.0])
    assert sign * facing[0] / np.linalg.norm(facing) > 0.9
    assert filmed(Spec("walk", direction="forward")).joints[-1, 0, 2] > 1
    assert filmed(Spec("walk", direction="backward")).joints[-1, 0, 2] < -0.8


def test_counts_are_performed():
    for count in (1, 2, 3):
        joints = filmed(Spec("squat", count=count)).joints
        low = joints[:, 0, 1] < STANDING - 0.3
        assert np.count_nonzero(np.diff(low.astype(int)) == 1) == count


def test_joints_survive_features_and_back(sample):
    for composition, motion in list(sample.items())[::8]:
        if any(spec.action == "circle" for spec in composition):
            continue  # the features lose the sense of a turn where the heading passes 180 degrees
        there = reference.normalize(motion.joints)
        back = features_to_joints(joints_to_features(motion.joints))
        assert np.abs(back - there[: len(back)])[:, 0].max() < 0.02, composition
        assert np.abs(back - there[: len(back)]).mean() < 0.02, composition


def test_captions_name_the_attributes_and_differ():
    rng = np.random.default_rng(0)
    for name, action in ACTIONS.items():
        for spec in action.specs(name)[::9]:
            texts = captions((spec,), rng)
            assert len(texts) in (3, 4) and len(set(texts)) == len(texts), texts
            for text in texts:
                assert not re.search(r"[<>{}]|  | ,|\bNone\b", text), text
                if spec.side in ("left", "right"):
                    assert spec.side in text, text
                if spec.side == "both":
                    assert "both" in text, text
                if spec.tempo:
                    assert any(w in text for w in ("slow", "fast", "quick", "rapid")), text
                if spec.count > 1:
                    assert re.search(r"\b(twice|two|three|four|five)\b", text), text


def test_brief_captions_leave_out_what_can_be_missed_and_never_the_side():
    rng = np.random.default_rng(0)
    shorter, all_of_them = 0, 0
    for name, action in ACTIONS.items():
        for spec in action.specs(name)[::9]:
            full = min(map(len, captions((spec,), rng)))
            for text in brief_captions((spec,), rng):
                assert not re.search(r"[<>{}]|  | ,|\bNone\b|\ban (?![aeiou])", text), text
                if spec.side in ("left", "right"):
                    assert spec.side in text, text
                if spec.direction == "backward":
                    assert "back" in text or "behind" in text, text
                shorter, all_of_them = shorter + (len(text) < full), all_of_them + 1
    assert shorter > all_of_them / 4


def test_filming_begins_and_ends_on_the_way_of_some_walks_and_of_no_counted_steps():
    def under_way(spec: Spec, frame: int) -> int:
        pelvis = (animate((spec,), np.random.default_rng(i)).joints[:, 0] for i in range(16))
        paths = [np.diff(path[:, [0, 2]], axis=0) * FPS for path in pelvis]
        return sum(float(np.linalg.norm(path[frame])) > 0.3 for path in paths)

    walk = Spec("walk", direction="forward", amplitude="big")
    assert 2 < under_way(walk, 0) < 14 and 2 < under_way(walk, -1) < 14
    steps = Spec("walk", direction="forward", amplitude="small")
    assert under_way(steps, 0) == under_way(steps, -1) == 0


def test_no_two_specs_of_an_action_share_all_their_captions():
    """A sentence of one spec is never a sentence of another: captions identify their action."""
    rng = np.random.default_rng(3)
    owner: dict[str, Spec] = {}
    for name, action in ACTIONS.items():
        for spec in action.specs(name)[::2]:
            for text in captions((spec,), rng):
                bare = re.sub(r"^(someone|an? \w+|the \w+) (is )?", "", text)
                assert owner.setdefault(bare, spec) == spec, (text, owner[bare], spec)


def test_mirroring_words_swaps_left_and_right_and_nothing_else():
    assert swap_sides("a man raises the left hand, then the right.") == (
        "a man raises the right hand, then the left."
    )
    assert swap_sides("someone leaps upright.") == "someone leaps upright."
    spec = Spec("walk", direction="forward", carry="wave left")
    assert spec.mirrored().carry == "wave right" and spec.mirrored().mirrored() == spec


def test_test_compositions_are_unseen_but_made_of_seen_attributes():
    entries = plan(CorpusSize(), seed=0)
    by_split: dict[str, list[tuple[Spec, ...]]] = {"train": [], "val": [], "test": []}
    for entry in entries:
        by_split[entry.split].append(entry.composition)
    sets = {name: {canonical(c) for c in group} for name, group in by_split.items()}
    assert not sets["train"] & sets["test"] and not sets["train"] & sets["val"]
    assert not sets["test"] & sets["val"] and len(sets["test"]) == len(by_split["test"]) == 175

    def attributes(group: list[tuple[Spec, ...]]) -> set:
        return {
            (spec.action, name, getattr(spec, name))
            for composition in group
            for one in (composition, mirrored(composition))
            for spec in one
            for name in ("side", "direction", "count", "tempo", "amplitude", "carry")
        }

    everything = {
        (name, key, getattr(spec, key))
        for name, action in ACTIONS.items()
        for spec in action.specs(name)
        for key in ("side", "direction", "count", "tempo", "amplitude", "carry")
    }
    assert attributes(by_split["train"]) == everything
    assert len(ACTIONS) >= 20 and len(sets["train"]) > 700
    assert all(composition != mirrored(composition) for composition in by_split["test"])


SMALL = CorpusSize(motions=210, test=10, val=5)


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("datasets")
    synthesize(root, SMALL, seed=3, processes=2)
    return root


def digest(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(f.relative_to(root)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def test_the_same_seed_writes_the_same_bytes_with_any_number_of_processes(written, tmp_path):
    synthesize(tmp_path, SMALL, seed=3, processes=3)
    assert digest(tmp_path) == digest(written)
    for entry in plan(SMALL, seed=3)[:15]:
        joints = np.load(written / f"motions/joints/synthetic/{entry.key}.npy")
        alone, _, _ = make(entry, SMALL)
        assert joints.tobytes() == alone.joints.astype(np.float32).tobytes()


def test_files_splits_and_annotations_agree(written):
    annotations = orjson.loads((written / "annotations/synthetic/annotations.json").read_bytes())
    splits = {
        path.stem: path.read_text().split()
        for path in (written / "annotations/synthetic/splits").glob("*.txt")
    }
    dissimilar = splits.pop("nsim_test")
    texts = {annotations[key]["annotations"][0]["text"] for key in dissimilar}
    assert 15 <= len(texts) == len(dissimilar)
    assert {*dissimilar} <= {*splits["test"]}
    assert {name: len(keys) for name, keys in splits.items()} == {
        "train": 390, "val": 10, "test": 20, "all": 420,
    }  # fmt: skip
    assert sorted(annotations) == splits["all"]
    assert sorted(splits["train"] + splits["val"] + splits["test"]) == splits["all"]
    for key, entry in annotations.items():
        assert entry["path"] == ("M/synthetic/" if key[0] == "M" else "synthetic/") + key.lstrip(
            "M"
        )
        joints = np.load(written / f"motions/joints/synthetic/{key.lstrip('M')}.npy")
        assert joints.dtype == np.float32 and joints.shape[1:] == (22, 3)
        assert entry["duration"] == pytest.approx((len(joints) - 1) / FPS)
        assert 2.0 <= entry["duration"] <= 10.0
        for told in entry["annotations"]:
            assert told["start"] == 0.0 and told["end"] == entry["duration"]
        spans = [(segment["start"], segment["end"]) for segment in entry["segments"]]
        flat = [second for span in spans for second in span]
        assert flat == sorted(flat) and flat[0] >= 0 and flat[-1] <= entry["duration"] + 1e-9
        twin = annotations[key.lstrip("M") if key[0] == "M" else "M" + key]
        for ours, theirs in zip(entry["annotations"], twin["annotations"], strict=True):
            assert swap_sides(ours["text"]) == theirs["text"]


def test_sizes_that_cannot_be_made_are_refused(tmp_path):
    with pytest.raises(InputError, match="sum 1"):
        CorpusSize(actions=[0.5, 0.2, 0.2])
    with pytest.raises(InputError, match="at most half"):
        CorpusSize(motions=100, test=60)
    with pytest.raises(InputError, match=r"expected 0 .* to 1"):
        CorpusSize(variety=2.0)
    with pytest.raises(InputError, match="of which 15 to train on"):
        plan(CorpusSize(motions=20, test=3, val=2), seed=0)
    with pytest.raises(InputError, match="larger share"):
        plan(CorpusSize(motions=700, test=270, actions=[1.0, 0.0, 0.0]), seed=0)
    folder = tmp_path / "motions/joints/synthetic"
    folder.mkdir(parents=True)
    np.save(folder / "mine.npy", np.zeros((2, 22, 3)))
    with pytest.raises(InputError, match=r"mine\.npy"):
        synthesize(tmp_path, SMALL)
    assert [path.name for path in folder.iterdir()] == ["mine.npy"]


def test_dissimilar_texts_are_taken_before_near_copies():
    texts = {
        "a": "a man waves.",
        "b": "a man waves.",
        "c": "someone kicks twice.",
        "d": "she sits.",
    }
    assert set(dissimilar(texts, 3)) in ({"a", "c", "d"}, {"b", "c", "d"})
