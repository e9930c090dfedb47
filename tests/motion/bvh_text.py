"""BVH files written by hand, whose joint positions are known in closed form."""

from collections.abc import Sequence

import numpy as np

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


def standing_bvh(profile: Profile, frames: int, unit: float = 0.01, up: str = "y") -> str:
    """A file of the profile's joints in which the standing person does not move, at 20 fps.

    Every joint hangs on the first one. Joints of a spine are spread over the line to the neck.
    """
    pelvis, neck = np.array(STANDING["pelvis"]), np.array(STANDING["neck"])
    along = np.linspace(pelvis, neck, len(profile.spine))
    places = dict(zip(profile.spine, along, strict=True))
    places |= {theirs: np.array(STANDING[ours]) for ours, theirs in profile.joints.items()}
    if up == "z":
        places = {name: np.array([x, -z, y]) for name, (x, y, z) in places.items()}

    def numbers(place: np.ndarray) -> str:
        return " ".join(f"{number / unit:.6f}" for number in place)

    root, *others = places
    hierarchy = [
        f"ROOT {root}", "{", "OFFSET 0 0 0", "CHANNELS 3 Xposition Yposition Zposition",
        *(
            line
            for name in others
            for line in (
                f"JOINT {name}", "{", f"OFFSET {numbers(places[name] - places[root])}",
                "CHANNELS 1 Yrotation", "End Site", "{", "OFFSET 0 1 0", "}", "}",
            )
        ),
        "}",
    ]  # fmt: skip
    frame = " ".join([numbers(places[root]), *(["0"] * len(others))])
    first = frames + profile.t_pose_first
    head = ["MOTION", f"Frames: {first}", "Frame Time: 0.05"]
    return "\n".join(["HIERARCHY", *hierarchy, *head, *[frame] * first])
