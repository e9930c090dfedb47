"""BVH files written by hand, whose joint positions are known in closed form."""

from collections.abc import Sequence

# A person of straight limbs in the joints that the Bandai profile needs: (name, offset in
# centimetres, children). Facing +Z, so the left side is at +X.
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
