"""The skeleton of every motion here: the first 22 joints of SMPL, 20 frames a second.

Positions are meters, Y up, right-handed: a person who faces +Z has the left side at +X.
"""

import numpy as np

FPS = 20

JOINTS = (
    "pelvis",
    "left_hip",
    "right_hip",
    "spine1",
    "left_knee",
    "right_knee",
    "spine2",
    "left_ankle",
    "right_ankle",
    "spine3",
    "left_foot",
    "right_foot",
    "neck",
    "left_collar",
    "right_collar",
    "head",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
)
NUM_JOINTS = len(JOINTS)


def joint(name: str) -> int:
    """The index of the joint called ``name``."""
    return JOINTS.index(name)


PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19)

# The order of the walk in inverse kinematics. The arms start at spine3, but with the rotation of
# the root: the features of HumanML3D are made so.
CHAINS = (
    (0, 2, 5, 8, 11),
    (0, 1, 4, 7, 10),
    (0, 3, 6, 9, 12, 15),
    (9, 14, 17, 19, 21),
    (9, 13, 16, 18, 20),
)

LEFT_RIGHT = tuple(
    (joint(name), joint(name.replace("left", "right"))) for name in JOINTS if "left" in name
)

_DIRECTIONS = {
    "left_hip": (1, 0, 0),
    "right_hip": (-1, 0, 0),
    "left_collar": (1, 0, 0),
    "right_collar": (-1, 0, 0),
    "pelvis": (0, 0, 0),
    "spine1": (0, 1, 0),
    "spine2": (0, 1, 0),
    "spine3": (0, 1, 0),
    "neck": (0, 1, 0),
    "head": (0, 0, 1),
    "left_foot": (0, 0, 1),
    "right_foot": (0, 0, 1),
}

# Unit vector (22, 3) from the parent to each joint at rest; zero for the pelvis.
REST_DIRECTIONS = np.array([_DIRECTIONS.get(name, (0, -1, 0)) for name in JOINTS], dtype=float)

# Distance in meters (22,) from the parent to each joint, in the first frame of HumanML3D clip
# 000021: the skeleton that every motion is brought to. Zero for the pelvis.
BONE_LENGTHS = np.array(
    [
        0.0,
        0.10307393575260745,
        0.1098833677711148,
        0.13156824130931077,
        0.39362314844025204,
        0.39018822625695404,
        0.14319021331683535,
        0.4324330831848503,
        0.4256434024736891,
        0.057364735143330216,
        0.14338182495160973,
        0.14941906612212313,
        0.2193600522954259,
        0.13748676859059086,
        0.14338283265236826,
        0.10303913495006596,
        0.13161404584007272,
        0.12298437608080258,
        0.25683988477128833,
        0.2630918599395795,
        0.266011849954061,
        0.2698764607896917,
    ]
)

REST_DIRECTIONS.flags.writeable = False
BONE_LENGTHS.flags.writeable = False
