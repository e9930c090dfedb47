"""BVH files written by hand, whose joint positions are known in closed form."""

from collections.abc import Mapping, Sequence

import numpy as np

from tmr.motion.skeleton import JOINTS, PARENTS, joint
from tmr.motion.skeleton_maps import Profile

# A person of straight limbs in the joints that the Bandai profile needs: (name, offset in
# centimeters, children). Facing +Z, so the left side is at +X.
PERSON = (
    "Hips", (0, 90, 0), [
        ("Spine", (0, 10, 0), [("Chest", (0, 20, 0), [
            ("Neck", (0, 20, 0), [("Head", (0, 10, 0), [])]),
            ("UpperArm_L", (20, 15, 0), [
                ("LowerArm_L", (0, -25, 0), [("Hand_L", (0, -25, 0), [])]),
            ]),
            ("UpperArm_R", (-20, 15, 0), [
                ("LowerArm_R", (0, -25, 0), [("Hand_R", (0, -25, 0), [])]),
            ]),
        ])]),
        ("UpperLeg_L", (10, -5, 0), [("LowerLeg_L", (0, -40, 0), [
            ("Foot_L", (0, -40, 0), [("Toes_L", (0, -5, 10), [])]),
        ])]),
        ("UpperLeg_R", (-10, -5, 0), [("LowerLeg_R", (0, -40, 0), [
            ("Foot_R", (0, -40, 0), [("Toes_R", (0, -5, 10), [])]),
        ])]),
    ],
)  # fmt: skip

# The same person under the names of the CMU files.
_CMU_NAMES = {"Chest": "Spine1", "Neck": "Neck1"} | {
    f"{theirs}_{side[0]}": f"{side}{cmu}"
    for side in ("Left", "Right")
    for theirs, cmu in {
        "UpperArm": "Arm", "LowerArm": "ForeArm", "Hand": "Hand",
        "UpperLeg": "UpLeg", "LowerLeg": "Leg", "Foot": "Foot", "Toes": "ToeBase",
    }.items()
}  # fmt: skip


def cmu_person() -> tuple:
    """PERSON with the joint names of the CMU files."""

    def renamed(node: tuple) -> tuple:
        name, offset, children = node
        return _CMU_NAMES.get(name, name), offset, [renamed(child) for child in children]

    return renamed(PERSON)


def person_bvh(
    places: Sequence[Sequence[float]], person: tuple = PERSON, frame_time: str = "0.0333333"
) -> str:
    """A file in which the person stands at the given places of the hips, frame by frame."""

    def joint(node: tuple, keyword: str) -> list[str]:
        name, offset, children = node
        channels = "3 Xposition Yposition Zposition" if keyword == "ROOT" else "1 Yrotation"
        inside = [line for child in children for line in joint(child, "JOINT")]
        inside = inside or ["End Site", "{", "OFFSET 0 1 0", "}"]
        numbers = " ".join(str(number) for number in offset)
        return [f"{keyword} {name}", "{", f"OFFSET {numbers}", f"CHANNELS {channels}", *inside, "}"]

    hierarchy = joint(person, "ROOT")
    turns = ["0"] * (sum(line.startswith("CHANNELS") for line in hierarchy) - 1)
    frames = [" ".join([*(str(number) for number in place), *turns]) for place in places]
    return "\n".join(
        [
            "HIERARCHY",
            *hierarchy,
            "MOTION",
            f"Frames: {len(places)}",
            f"Frame Time: {frame_time}",
            *frames,
        ]
    )


# Where the joints of a standing person are, in meters, Y up, facing +Z. The knees are bent a
# little, as everybody's are.
STANDING = {
    "pelvis": (0, 0.93, 0), "spine1": (0, 1.03, 0), "spine2": (0, 1.17, 0), "spine3": (0, 1.23, 0),
    "neck": (0, 1.44, 0), "head": (0, 1.54, 0.03),
} | {
    f"{side}_{name}": (sign * x, y, z)
    for side, sign in (("left", 1), ("right", -1))
    for name, (x, y, z) in {
        "hip": (0.08, 0.86, 0), "knee": (0.09, 0.48, 0.03), "ankle": (0.09, 0.08, 0),
        "foot": (0.1, 0.02, 0.13), "collar": (0.08, 1.34, 0), "shoulder": (0.18, 1.38, 0),
        "elbow": (0.42, 1.37, -0.02), "wrist": (0.66, 1.37, 0),
    }.items()
}  # fmt: skip


def standing_bvh(
    profile: Profile,
    frames: int,
    unit: float = 0.01,
    up: str = "y",
    rename: dict | None = None,
    standing: Mapping = STANDING,
) -> str:
    """A file of the profile's joints in which the standing person does not move, at 20 fps.

    Joints of a spine are spread over the line to the neck. ``rename`` replaces names; a name of
    None leaves the joint out, with all that hang on it.
    """
    pelvis, neck = np.array(standing["pelvis"]), np.array(standing["neck"])
    along = np.linspace(pelvis, neck, len(profile.spine))
    places = dict(zip(profile.spine, along, strict=True))
    places |= {theirs: np.array(standing[ours]) for ours, theirs in profile.joints.items()}
    if up == "z":
        places = {name: np.array([x, -z, y]) for name, (x, y, z) in places.items()}
    children: dict[str, list[str]] = {name: [] for name in places}
    for name, parent in _hierarchy(profile).items():
        children[parent].append(name)

    def numbers(place: np.ndarray) -> str:
        return " ".join(f"{number / unit:.6f}" for number in place)

    count = 0

    def lines(name: str, parent: str | None) -> list[str]:
        nonlocal count
        named = (rename or {}).get(name, name)
        if named is None:
            return ["End Site", "{", f"OFFSET {numbers(places[name] - places[str(parent)])}", "}"]
        count += 1
        keyword = "ROOT" if parent is None else "JOINT"
        offset = places[name] * 0 if parent is None else places[name] - places[parent]
        channels = "3 Xposition Yposition Zposition" if parent is None else "1 Yrotation"
        below = [line for child in children[name] for line in lines(child, name)]
        below = below or ["End Site", "{", "OFFSET 0 0 0", "}"]
        return [f"{keyword} {named}", "{", f"OFFSET {numbers(offset)}", f"CHANNELS {channels}",
                *below, "}"]  # fmt: skip

    root = profile.spine[0] if profile.spine else profile.joints["pelvis"]
    hierarchy = lines(root, None)
    frame = " ".join([numbers(places[root]), *(["0"] * (count - 1))])
    first = frames + bool(profile.t_pose_first)
    head = ["MOTION", f"Frames: {first}", "Frame Time: 0.05"]
    return "\n".join(["HIERARCHY", *hierarchy, *head, *[frame] * first])


def _hierarchy(profile: Profile) -> dict[str, str]:
    """The parent of each joint of a profile but the first."""
    spine = profile.spine
    parents = dict(zip(spine[1:], spine, strict=False))
    derived = {"pelvis": spine[0], "neck": spine[-1]} if spine else {}
    if spine:
        derived |= {f"spine{i}": spine[-2] for i in (1, 2, 3)}
    for ours, theirs in profile.joints.items():
        at = PARENTS[joint(ours)]
        while at >= 0 and JOINTS[at] not in profile.joints and JOINTS[at] not in derived:
            at = PARENTS[at]
        if at >= 0:
            parents[theirs] = profile.joints.get(JOINTS[at]) or derived[JOINTS[at]]
    return parents
