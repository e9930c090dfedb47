"""Skeletons of families that have no profile, and some that are no humans."""

import re

import numpy as np
import pytest

from tests.motion.bvh_text import STANDING, standing_bvh
from tmr.errors import InputError
from tmr.motion.conventions import Overrides
from tmr.motion.read import read_motion
from tmr.motion.skeleton import joint
from tmr.motion.skeleton_maps import PROFILES, Profile
from tmr.motion.skeleton_roles import parse_name

MIXAMO = PROFILES["mixamo"]
TRUNK = ("Hips", "Spine", "Spine1", "Spine2", "Neck", "Head")
LIMBS = ("UpLeg", "Leg", "Foot", "ToeBase", "Arm", "ForeArm", "Hand")
# (pattern on the left, on the right, names of the trunk, of the limbs as in LIMBS).
FAMILIES = {
    "MotionBuilder": ("Character1_Left{}", "Character1_Right{}",
                      [f"Character1_{name}" for name in TRUNK], LIMBS),
    "Mixamo without colon": ("mixamorigLeft{}", "mixamorigRight{}",
                             [f"mixamorig{name}" for name in TRUNK], LIMBS),
    "simulator": ("simLeft{}", "simRight{}", [f"sim{name}" for name in TRUNK], LIMBS),
    "suffixes": ("Left{}_JNT", "Right{}_JNT", [f"{name}_JNT" for name in TRUNK], LIMBS),
    "numbers behind": ("Left{}_12", "Right{}_34", [f"{name}_5" for name in TRUNK], LIMBS),
    "3ds Max Biped": ("Bip01 L {}", "Bip01 R {}",
                      ["Bip01 Pelvis", "Bip01 Spine", "Bip01 Spine1", "Bip01 Spine2", "Bip01 Neck",
                       "Bip01 Head"],
                      ("Thigh", "Calf", "Foot", "Toe0", "UpperArm", "Forearm", "Hand")),
    "Unreal": ("{}_l", "{}_r", ["pelvis", "spine_01", "spine_02", "spine_03", "neck_01", "head"],
               ("thigh", "calf", "foot", "ball", "upperarm", "lowerarm", "hand")),
    "Character Creator": ("CC_Base_L_{}", "CC_Base_R_{}",
                          ["CC_Base_Hip", "CC_Base_Waist", "CC_Base_Spine01", "CC_Base_Spine02",
                           "CC_Base_NeckTwist01", "CC_Base_Head"],
                          ("Thigh", "Calf", "Foot", "ToeBase", "Upperarm", "Forearm", "Hand")),
    "DAZ": ("l{}", "r{}", ["hip", "abdomen", "abdomen2", "chest", "neck", "head"],
            ("Thigh", "Shin", "Foot", "Toe", "Shldr", "ForeArm", "Hand")),
    "VRM": ("J_Bip_L_{}", "J_Bip_R_{}", [f"J_Bip_C_{name}" for name in
            ("Hips", "Spine", "Chest", "UpperChest", "Neck", "Head")],
            ("UpperLeg", "LowerLeg", "Foot", "ToeBase", "UpperArm", "LowerArm", "Hand")),
    "Blender": ("{}.L", "{}.R", ["hips", "spine", "chest", "chest.001", "neck", "head"],
                ("thigh", "shin", "foot", "toe", "upper_arm", "forearm", "hand")),
    "Rigify": ("DEF-{}.L", "DEF-{}.R",
               ["DEF-hips", "DEF-spine.001", "DEF-spine.002", "DEF-spine.003", "DEF-neck",
                "DEF-head"], ("thigh", "shin", "foot", "toe", "upper_arm", "forearm", "hand")),
    "Kinect": ("{}Left", "{}Right",
               ["SpineBase", "SpineMid", "SpineMid1", "SpineShoulder", "Neck", "Head"],
               ("Hip", "Knee", "Ankle", "Foot", "Shoulder", "Elbow", "Wrist")),
    "anatomy in lower case": ("l{}", "r{}",
                              ["root", "lowerback", "upperback", "thorax", "lowerneck", "head"],
                              ("femur", "tibia", "foot", "toes", "humerus", "radius", "wrist")),
    "Kimodo": ("Left{}", "Right{}", TRUNK,
               ("Leg", "Shin", "Foot", "ToeBase", "Arm", "ForeArm", "Hand")),
    "Biovision": ("Left{}", "Right{}", TRUNK,
                  ("UpLeg", "LowLeg", "Foot", "Toe", "UpArm", "LowArm", "Hand")),
    "a word before": ("Left {}", "Right {}", TRUNK,
                      ("Up Leg", "Lower Leg", "Foot", "Toe", "Up Arm", "Fore Arm", "Hand")),
}  # fmt: skip
SEEN = [f"{side}_{name}" for side in ("left", "right")
        for name in ("hip", "knee", "ankle", "foot", "shoulder", "elbow", "wrist")]  # fmt: skip


def renamed(family: str) -> dict[str, str | None]:
    """The names of a family for those of Mixamo."""
    left, right, trunk, limbs = FAMILIES[family]
    names: dict[str, str | None] = dict(zip(TRUNK, trunk, strict=True))
    for theirs, name in zip(LIMBS, limbs, strict=True):
        names |= {f"Left{theirs}": left.format(name), f"Right{theirs}": right.format(name)}
    return names


@pytest.fixture
def read(tmp_path):
    def read(rename: dict, edit=lambda text: text, profile: Profile = MIXAMO):
        path = tmp_path / "take.bvh"
        path.write_text(edit(standing_bvh(profile, frames=4, rename=rename)))
        return read_motion(path)

    return read


@pytest.mark.parametrize("family", FAMILIES)
def test_limbs_of_every_family_are_found(read, family):
    take = read(renamed(family))
    known = family in ("Mixamo without colon", "MotionBuilder", "simulator")  # but for a prefix
    assert take.reading.skeleton == ("mixamo" if known else "found by names and hierarchy")
    for name in (*SEEN, "pelvis", "head"):
        assert np.allclose(take.joints[0, joint(name)], STANDING[name], atol=1e-6), name
    spine = take.joints[0, [joint(name) for name in ("pelvis", "spine1", "spine2", "spine3")], 1]
    assert (np.diff(spine) > 0).all()


def test_twist_bones_fingers_and_helpers_are_passed_over(read):
    def edit(text: str) -> str:
        twist = "JOINT LeftUpLegTwist { OFFSET 0 0 0 CHANNELS 0 "
        text = text.replace("JOINT LeftLeg\n", twist + "JOINT LeftLeg\n", 1)
        at = text.index("JOINT RightUpLeg")  # the end of the left leg
        text = text[:at] + "}\n" + text[at:]
        thumb = "JOINT LeftHandThumb1 { OFFSET 1 0 0 CHANNELS 0 End Site { OFFSET 1 0 0 } }\n"
        hand = re.search(r"JOINT LeftHand\n{\nOFFSET .*\nCHANNELS .*\n", text)
        assert hand is not None
        return text[: hand.end()] + thumb + text[hand.end() :]

    take = read({"Spine2": "Spine9"}, edit)
    for name in SEEN:
        assert np.allclose(take.joints[0, joint(name)], STANDING[name], atol=1e-6), name


def test_an_end_site_stands_for_toes_and_made_toes_point_forward(read):
    site = read({"LeftToeBase": None, "RightToeBase": None, "Spine2": "Spine9"})
    for name in SEEN:
        assert np.allclose(site.joints[0, joint(name)], STANDING[name], atol=1e-6), name
    assert site.warnings == ()

    def without(text: str) -> str:
        return re.sub(
            r"End Site\n{\nOFFSET \S+ -6\S* 13\S*\n}", "End Site\n{\nOFFSET 0 -3 0\n}", text
        )

    made = read({"LeftToeBase": None, "RightToeBase": None, "Spine2": "Spine9"}, without)
    assert "no toes" in made.warnings[0]
    for side in ("left", "right"):
        reach = made.joints[0, joint(f"{side}_foot")] - made.joints[0, joint(f"{side}_ankle")]
        assert 0.1 < reach[2] < 0.2
        assert abs(reach[0]) < 0.03


def test_a_toe_in_the_place_of_its_ankle_is_replaced_by_its_end_site(read):
    def edit(text: str) -> str:
        toe = r"(ToeBase\n{\n)OFFSET (.*)(\nCHANNELS .*\nEnd Site\n{\n)OFFSET 0 0 0"
        return re.sub(toe, r"\1OFFSET 0 0 0\3OFFSET \2", text)

    take = read({}, edit)
    assert take.reading.skeleton == "mixamo"
    for name in SEEN:
        assert np.allclose(take.joints[0, joint(name)], STANDING[name], atol=1e-6), name


def test_names_that_the_hierarchy_contradicts_are_refused(read):
    rng = np.random.default_rng(0)
    names = MIXAMO.needed()
    for _ in range(20):
        shuffled = dict(zip(names, rng.permutation(names).tolist(), strict=True))
        with pytest.raises(InputError, match=r"take\.bvh: "):
            read(shuffled)


def test_two_bodies_in_a_file_are_refused_with_the_way_on(read):
    def doubled(text: str) -> str:
        hierarchy, motion = text.split("MOTION")
        second = hierarchy.removeprefix("HIERARCHY\n").replace("A_", "B_")
        head, *frames = motion.strip().split("\nFrame Time: 0.05\n")
        rows = "\n".join(f"{row} {row}" for row in frames[0].split("\n"))
        return f"{hierarchy}{second}MOTION\n{head}\nFrame Time: 0.05\n{rows}"

    rename = {name: f"A_{name}x" for name in MIXAMO.needed()}
    with pytest.raises(InputError, match=r"expected one body in a file.*profile=FILE\.yaml"):
        read(rename, doubled)


def test_a_leg_of_three_long_bones_is_refused(read):
    def edit(text: str) -> str:
        for side in ("Left", "Right"):
            hip = re.search(rf"JOINT {side}UpLeg\n{{\nOFFSET (\S+) (\S+) (\S+)", text)
            assert hip is not None
            x, y, z = map(float, hip.groups())
            above = f"JOINT {side}Stifle {{ OFFSET {x} {y + 40} {z} CHANNELS 0 JOINT {side}UpLeg\n"
            text = text.replace(hip[0], above + "{\nOFFSET 0 -40 0", 1)
        at = text.index("JOINT RightStifle")
        text = text[:at] + "}\n" + text[at:]
        return text.replace("}\nMOTION", "}\n}\nMOTION", 1)

    with pytest.raises(InputError, match="three long bones"):
        read({"Spine2": "Spine9"}, edit)


def test_a_body_on_four_legs_is_refused(tmp_path):
    from tests.motion import bvh_text

    elephant = {name: np.array(place, dtype=float) for name, place in STANDING.items()}
    for name, (_, y, z) in STANDING.items():
        if name in ("pelvis", "spine1", "spine2", "spine3", "neck", "head"):
            elephant[name] = np.array([0, 1.0, y - 0.93 + z])  # the trunk lies
    for side, x in (("left", 0.15), ("right", -0.15)):
        for name, y in {"collar": 0.95, "shoulder": 0.9, "elbow": 0.5, "wrist": 0.1}.items():
            elephant[f"{side}_{name}"] = np.array([x, y, 0.5])
    text = bvh_text.standing_bvh(MIXAMO, frames=4, standing=elephant)
    (tmp_path / "elephant.bvh").write_text(text)
    with pytest.raises(InputError, match=r"elephant\.bvh: .*on four legs"):
        read_motion(tmp_path / "elephant.bvh")


@pytest.mark.parametrize(
    ("name", "part", "side"),
    [
        ("LeftUpLeg", "leg", "left"), ("l_thigh", "leg", "left"), ("Thigh.R", "leg", "right"),
        ("Bip001 R UpperArm_204", "arm", "right"), ("lShldr", "arm", "left"),
        ("mixamorig7:RightToeBase", "toe", "right"), ("hand_l", "wrist", "left"),
        ("J_L5", "", ""), ("LeftHandThumb1", "", "left"), ("lThighBend", "leg", "left"),
        ("lThighTwist", "", "left"), ("L_Foot_End", "", "left"), ("Hips", "pelvis", ""),
        ("lowerback", "", ""), ("rhumerus", "arm", "right"), ("root", "", ""),
        ("__UpLeg_L", "", "left"), ("Scene|Rig|LeftFoot", "ankle", "left"),
    ],
)  # fmt: skip
def test_names_are_taken_apart(name, part, side):
    parsed = parse_name(name)
    assert (parsed.part, parsed.side) == (part, side)


def test_a_yaml_may_leave_out_toes_and_name_the_joints_of_one_of_two(tmp_path):
    (tmp_path / "take.bvh").write_text(
        standing_bvh(MIXAMO, 4, rename={"LeftToeBase": None, "RightToeBase": None})
    )
    joints = {k: v for k, v in MIXAMO.joints.items() if not k.endswith(("_foot", "head"))}
    lines = [f"  {ours}: {theirs}" for ours, theirs in joints.items()]
    (tmp_path / "mine.yaml").write_text(
        "\n".join([f"spine: [{', '.join(MIXAMO.spine)}]", "joints:", *lines])
    )
    take = read_motion(tmp_path / "take.bvh", Overrides(profile=str(tmp_path / "mine.yaml")))
    for name in (*SEEN, "head"):
        assert np.allclose(take.joints[0, joint(name)], STANDING[name], atol=1e-6), name
