"""Skeleton profiles: which joints of a foreign skeleton are our 22, one record each.

A profile of one's own is a YAML file of the fields of :class:`Profile`. Collars may be left out,
and pelvis, spine1 to spine3 and neck where the line of the spine is given:

    spine: [Root, Back, Nape]        # from pelvis to neck
    joints:                          # ours: theirs
      head: Skull
      left_hip: LThigh
      ...
    unit: cm                         # or meters; leave out unit and up to have them found
    up: z
    t_pose_first: false              # true: the first frame is no motion
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

import numpy as np
import yaml
from jaxtyping import Float

from tmr.errors import InputError
from tmr.motion.conventions import Overrides
from tmr.motion.skeleton import JOINTS, NUM_JOINTS, joint

# Where spine1 to spine3 lie on the line of the spine, as parts of its length from pelvis to neck.
_SPINE = {"spine1": 0.22, "spine2": 0.48, "spine3": 0.59}
_COLLAR = 0.55  # of the way from spine3 to the shoulder
_COLLARS = ("left_collar", "right_collar")

_PREFIX = re.compile(r"^(.*:|mixamorig\d*_|[mf]_avg_)")  # names of scenes and figures


@dataclass(frozen=True, slots=True)
class Profile:
    """How to read one family of skeletons.

    Names of joints count without case, without a scene or figure before them ("mixamorig:Hips"),
    and with left_ and right_ as l_ and r_.
    """

    joints: Mapping[str, str]  # our joint to the foreign one, for all that are not derived
    spine: tuple[str, ...] = ()  # foreign joints from pelvis to neck, both included
    unit: float | None = None  # meters; None finds it from the height of the body
    up: str | None = None  # axis; None finds it
    t_pose_first: bool = False  # the first frame is a T-pose, not part of the motion

    def needed(self) -> list[str]:
        """The foreign joints that the profile uses."""
        return [*self.spine, *self.joints.values()]

    def missing(self, names: Sequence[str]) -> list[str]:
        """The foreign joints that the profile needs and ``names`` lacks."""
        there = {_plain(name) for name in names}
        return [name for name in self.needed() if _plain(name) not in there]

    def select(
        self, names: Sequence[str], positions: Float[np.ndarray, "frames foreign 3"]
    ) -> Float[np.ndarray, "frames 22 3"]:
        """Our 22 joints from the foreign joints called ``names``, in the same unit and axes.

        Raises InputError where a name that is needed occurs twice.
        """
        index = self._columns(names)
        joints = np.empty((len(positions), NUM_JOINTS, 3))
        if self.spine:
            line = positions[:, [index[_plain(name)] for name in self.spine]]
            joints[:, joint("pelvis")] = line[:, 0]
            joints[:, joint("neck")] = line[:, -1]
            for ours, fraction in _SPINE.items():
                joints[:, joint(ours)] = _point_along(line, fraction)
        for ours, theirs in self.joints.items():
            joints[:, joint(ours)] = positions[:, index[_plain(theirs)]]
        chest = joints[:, joint("spine3")]
        for collar in _COLLARS:
            if collar not in self.joints:
                shoulder = joints[:, joint(collar.replace("collar", "shoulder"))]
                joints[:, joint(collar)] = chest + _COLLAR * (shoulder - chest)
        return joints

    def _columns(self, names: Sequence[str]) -> dict[str, int]:
        plain = [_plain(name) for name in names]
        for name in self.needed():
            if plain.count(_plain(name)) > 1:
                raise InputError(f"joint {name!r} is there twice: expected one body in a file")
        return {name: i for i, name in enumerate(plain)}


def _limbs(left: str, right: str, **names: str) -> dict[str, str]:
    """Our limbs from the foreign names of their joints, put into a pattern for each side."""
    return {
        f"{side}_{ours}": pattern.format(theirs)
        for side, pattern in (("left", left), ("right", right))
        for ours, theirs in names.items()
    }


_MOTIONBUILDER = _limbs(
    "Left{}",
    "Right{}",
    hip="UpLeg",
    knee="Leg",
    ankle="Foot",
    foot="ToeBase",
    shoulder="Arm",
    elbow="ForeArm",
    wrist="Hand",
)

PROFILES = {
    # Bandai-Namco-Research-Motiondataset 1 and 2
    "bandai": Profile(
        spine=("Hips", "Spine", "Chest", "Neck"),
        joints={"head": "Head"}
        | _limbs(
            "{}_L",
            "{}_R",
            hip="UpperLeg",
            knee="LowerLeg",
            ankle="Foot",
            foot="Toes",
            shoulder="UpperArm",
            elbow="LowerArm",
            wrist="Hand",
        ),
    ),
    # CMU Graphics Lab Motion Capture Database, as converted to BVH by B. Hahne
    "cmu": Profile(
        spine=("Hips", "Spine", "Spine1", "Neck1"),
        joints={"head": "Head"} | _MOTIONBUILDER,
        t_pose_first=True,
    ),
    # Ubisoft La Forge Animation Dataset (Harvey et al., 2020)
    "lafan1": Profile(
        spine=("Hips", "Spine", "Spine1", "Spine2", "Neck"),
        joints={"head": "Head"}
        | _MOTIONBUILDER
        | {"left_foot": "LeftToe", "right_foot": "RightToe"},
    ),
    # Characters of mixamo.com, and much else that was made with MotionBuilder
    "mixamo": Profile(
        spine=("Hips", "Spine", "Spine1", "Spine2", "Neck"),
        joints={"head": "Head"} | _MOTIONBUILDER,
    ),
    # 100STYLE (Mason et al., 2022), recorded with Xsens
    "100style": Profile(
        spine=("Hips", "Chest", "Chest2", "Chest3", "Chest4", "Neck"),
        joints={"head": "Head"}
        | _limbs(
            "Left{}",
            "Right{}",
            hip="Hip",
            knee="Knee",
            ankle="Ankle",
            foot="Toe",
            shoulder="Shoulder",
            elbow="Elbow",
            wrist="Wrist",
        ),
    ),
    # Our own names, which are those of SMPL: left_hip or L_Hip
    "smpl-named": Profile(joints={name: name for name in JOINTS}),
}


def profile_named(name: str) -> Profile:
    """The profile called ``name``, or the one in the YAML file of that path.

    Raises InputError where there is none.
    """
    if name.endswith((".yaml", ".yml")):
        return _from_yaml(Path(name))
    if name not in PROFILES:
        raise InputError(
            f"unknown skeleton profile {name!r}: expected one of {_known()}, or a .yaml file of "
            "your own"
        )
    return PROFILES[name]


def profile_for(names: Sequence[str], wanted: str | None = None) -> tuple[str, Profile]:
    """Name and profile for a skeleton of joints called ``names``: ``wanted``, or one found.

    Of several that fit, the one that uses most joints. Raises InputError, with the joint that is
    missing, where the wanted one or none fits.
    """
    candidates = PROFILES if wanted is None else {wanted: profile_named(wanted)}
    fits = {name: profile for name, profile in candidates.items() if not profile.missing(names)}
    if fits:
        best = max(fits, key=lambda name: len(fits[name].needed()))
        return best, fits[best]
    nearest = min(candidates, key=lambda name: len(candidates[name].missing(names)))
    raise InputError(
        f"no joint {candidates[nearest].missing(names)[0]!r}, which skeleton profile {nearest!r} "
        f"needs (known profiles: {_known()}; others as profile=FILE.yaml); "
        f"found {', '.join(names)}"
    )


@cache
def _from_yaml(path: Path) -> Profile:
    try:
        return _checked(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _checked(content: object) -> Profile:
    keys = [field.name for field in fields(Profile)]
    if not isinstance(content, dict) or not content.keys() <= set(keys):
        raise InputError(f"expected a mapping with the keys {', '.join(keys)}")
    joints, spine = content.get("joints") or {}, content.get("spine") or []
    if not isinstance(joints, dict) or not isinstance(spine, list):
        raise InputError(
            "expected joints as a mapping of ours to theirs, spine as a list of theirs"
        )
    derived = {*_COLLARS, *(("pelvis", *_SPINE, "neck") if len(spine) > 1 else ())}
    for ours in JOINTS:
        if ours not in joints and ours not in derived:
            raise InputError(f"no joint of theirs for {ours}: expected one below joints")
    for ours in joints:
        if ours not in JOINTS:
            raise InputError(
                f"unknown joint {ours!r} below joints: expected ours ({_list(JOINTS)})"
            )
    for theirs in (*joints.values(), *spine):
        if not isinstance(theirs, str):
            raise InputError(f"found {theirs!r}, expected the name of a joint")
    overrides = Overrides(unit=content.get("unit"), up=content.get("up"))
    return Profile(
        joints, tuple(spine), overrides.meters, overrides.up, bool(content.get("t_pose_first"))
    )


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)


def _known() -> str:
    return _list(PROFILES)


def _plain(name: str) -> str:
    name = _PREFIX.sub("", name).lower()
    return re.sub(r"^(l|r)(eft|ight)_", r"\1_", name)


def _point_along(
    line: Float[np.ndarray, "frames points 3"], fraction: float
) -> Float[np.ndarray, "frames 3"]:
    """The point at a fraction of the length of a polyline, in each frame."""
    steps = np.diff(line, axis=1)
    lengths = np.linalg.norm(steps, axis=-1)
    left = fraction * lengths.sum(axis=1)
    point = line[:, 0].copy()
    # Walk the segments, each taken as far as the length still left reaches.
    for k in range(steps.shape[1]):
        reach = np.clip(left / np.where(lengths[:, k] > 0, lengths[:, k], 1.0), 0, 1)
        point += reach[:, None] * steps[:, k]
        left = left - lengths[:, k]
    return point
