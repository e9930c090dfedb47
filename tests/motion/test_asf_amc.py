"""A small ASF skeleton written by hand, posed in closed form, and damaged."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tests.motion.bvh_text import STANDING
from tmr.errors import InputError
from tmr.motion.animation import world_positions
from tmr.motion.conventions import Overrides
from tmr.motion.read import read_motion, sources_of
from tmr.motion.readers.asf_amc import read_amc
from tmr.motion.skeleton import joint

UNIT = 0.0254 / 0.45
# Bones as CMU calls them: (name, parent, where it begins, where it ends, degrees of freedom).
_LIMBS = [
    ("hipjoint", "root", "pelvis", "hip", ""), ("femur", "hipjoint", "hip", "knee", "rx ry rz"),
    ("tibia", "femur", "knee", "ankle", "rx"), ("foot", "tibia", "ankle", "foot", "rx rz"),
    ("clavicle", "thorax", "neck", "shoulder", "ry rz"),
    ("humerus", "clavicle", "shoulder", "elbow", "rx ry rz"),
    ("radius", "humerus", "elbow", "wrist", "rx"), ("wrist", "radius", "wrist", None, "ry"),
]  # fmt: skip
BONES = [
    ("lowerback", "root", "pelvis", "spine2", "rx ry rz"),
    ("thorax", "lowerback", "spine2", "neck", ""),
    ("head", "thorax", "neck", "head", "rx"), ("skull", "head", "head", None, ""),
] + [
    (side[0] + name, side[0] + parent if parent not in ("root", "thorax") else parent,
     begin if begin in ("pelvis", "neck") else f"{side}_{begin}", end and f"{side}_{end}", dof)
    for side in ("left", "right") for name, parent, begin, end, dof in _LIMBS
]  # fmt: skip
AXIS = (30, -40, 20)


def asf(bones=BONES) -> str:
    lines = [":version 1.10", ":units", "  length 0.45", "  angle deg", ":root"]
    lines += ["   order TX TY TZ RX RY RZ", "   axis XYZ", "   position 0 0 0", ":bonedata"]
    for name, _, begin, end, dof in bones:
        start = np.array(STANDING[begin])
        vector = (np.array(STANDING[end]) - start if end else np.array([0, 0.1, 0])) / UNIT
        length = np.linalg.norm(vector)
        lines += ["  begin", "     id 1", f"     name {name}",
                  f"     direction {' '.join(map(str, vector / length))}", f"     length {length}",
                  f"     axis {' '.join(map(str, AXIS))} XYZ"]  # fmt: skip
        lines += [f"    dof {dof}", "    limits (-90 90)"] if dof else []
        lines += ["  end"]
    hierarchy = [f"    {parent} {name}" for name, parent, *_ in bones]
    return "\n".join([*lines, ":hierarchy", "  begin", *hierarchy, "  end", ""])


def amc(frames: int, turns: dict[str, str]) -> str:
    lines = ["#!OML:ASF x.ASF", ":FULLY-SPECIFIED", ":DEGREES"]
    for number in range(frames):
        lines += [str(number + 1), f"root 0 {0.93 / UNIT} {0.01 * number / UNIT} 0 0 0"]
        lines += [
            f"{name} {turns.get(name, ' '.join(['0'] * len(dof.split())))}"
            for name, *_, dof in BONES
            if dof
        ]
    return "\n".join([*lines, ""])


@pytest.fixture
def take(tmp_path):
    (tmp_path / "07.asf").write_text(asf())
    (tmp_path / "07_01.amc").write_text(amc(13, {}))
    return tmp_path / "07_01.amc"


def test_a_standing_person_is_read_in_meters_at_120_frames_a_second(take):
    found = read_motion(take)
    assert (found.reading.fps, found.reading.frames, len(found.joints)) == (120, 13, 3)
    assert "does not state its frame rate" in found.warnings[0]
    for name in ("left_hip", "left_knee", "right_ankle", "right_foot", "left_elbow", "right_wrist"):
        assert np.allclose(found.joints[0, joint(name)], STANDING[name], atol=1e-6), name
    assert np.allclose(found.joints[1, 0] - found.joints[0, 0], [0, 0, 0.06])
    assert len(read_motion(take, Overrides(fps=60)).joints) == 5


def test_a_bone_turns_about_its_own_axes(take):
    take.write_text(amc(2, {"lfemur": "10 20 30", "ltibia": "40"}))
    found = read_amc(take)
    knee, ankle = (found.names.index(name) for name in ("ltibia", "lfoot"))
    positions = world_positions(found, [found.names.index("lfemur"), knee, ankle])[0] * UNIT
    axes = Rotation.from_euler("xyz", AXIS, degrees=True)
    thigh = axes * Rotation.from_euler("xyz", [10, 20, 30], degrees=True) * axes.inv()
    shin = thigh * axes * Rotation.from_euler("x", 40, degrees=True) * axes.inv()
    bone = {
        name: np.array(STANDING[f"left_{name}"]) - STANDING[f"left_{parent}"]
        for name, parent in (("knee", "hip"), ("ankle", "knee"))
    }
    assert np.allclose(positions[1] - positions[0], thigh.apply(bone["knee"]))
    assert np.allclose(positions[2] - positions[1], shin.apply(bone["ankle"]))


def test_radians_are_turned_into_degrees(take):
    degrees = read_amc(take).turns
    take.write_text(amc(13, {"ltibia": "90"}))
    bent = read_amc(take).turns
    take.write_text(amc(13, {"ltibia": str(np.pi / 2)}).replace(":DEGREES", ":RADIANS"))
    assert np.allclose(read_amc(take).turns, bent)
    assert not np.allclose(degrees, bent)


def test_a_take_is_made_from_two_files(take):
    assert sources_of(take) == (take, take.with_name("07.asf"))
    take.with_name("07.asf").rename(take.with_name("other.ASF"))
    assert sources_of(take)[1].name == "other.ASF"
    take.with_name("other.ASF").unlink()
    with pytest.raises(InputError, match=r"07_01\.amc: no skeleton for it: expected 07\.asf"):
        read_motion(take)


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("07_01.amc", "lfoot 0 0", "lfoot 0", r"line \d+: found 1 values, expected 2 for lfoot"),
        ("07_01.amc", "lfoot 0 0", "lfoot 0 x", r"line \d+: expected numbers"),
        ("07_01.amc", "lfoot", "tail", "found bone 'tail', which its skeleton lacks"),
        ("07.asf", ":bonedata", ":bones", "expected a section :bonedata"),
        ("07.asf", "dof rx rz", "dof rx qz", "unknown degree of freedom 'qz'"),
        ("07.asf", "    lfemur ltibia", "    ltail ltibia", "cannot make sense of 'ltail ltibia'"),
        ("07.asf", "     name lfoot\n", "", "a bone without name"),
        ("07.asf", "     length", "     length 1m", "expected numbers, found '1m"),
    ],
)
def test_damaged_files_are_refused_with_the_place(take, name, old, new, message):
    path = take.with_name(name)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        read_motion(take)


def test_a_skeleton_in_radians_stands_as_the_same_in_degrees(take):
    """Axes of bones and of the root, about which the motion turns; the unit is the skeleton's."""
    file = take.with_name("07.asf")
    turned = amc(2, {"lfemur": "10 20 30"}).replace(" 0 0 0\nlowerback", " 30 0 0\nlowerback")
    take.write_text(turned)
    every = range(len(read_amc(take).names))
    plain = world_positions(read_amc(take), every)[0]
    texts = {}
    for unit, factor in (("deg", 1.0), ("rad", np.pi / 180)):
        axes, turn = (" ".join(map(str, factor * np.array(some))) for some in (AXIS, (0, 90, 0)))
        text = asf().replace("angle deg", f"angle {unit}").replace(" ".join(map(str, AXIS)), axes)
        texts[unit] = text.replace("   axis XYZ", f"   axis XYZ\n   orientation {turn}")
    positions = []
    for text in texts.values():
        file.write_text(text)
        positions.append(world_positions(read_amc(take), every)[0])
    assert np.allclose(*positions)
    assert not np.allclose(positions[0], plain)
