"""Skeleton maps: which points of a foreign skeleton are our 22 joints.

A family of files that is known has a profile, one record each. Other skeletons are mapped by
:mod:`tmr.motion.skeleton_roles`. A profile of one's own is a YAML file of the fields of
:class:`Profile`. Collars, toes and head may be left out, and pelvis, spine1 to spine3 and neck
where the line of the spine is given:

    spine: [Root, Back, Nape]        # from pelvis to neck
    joints:                          # ours: theirs
      head: Skull
      left_hip: LThigh
      ...
    unit: cm                         # or meters; leave out unit and up to have them found
    up: z
    t_pose_first: true               # the first frame is no motion; leave out to have it found
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import yaml
from jaxtyping import Float

from tmr.errors import InputError
from tmr.motion import rotations
from tmr.motion.animation import Animation, Point, rest_pose, world_positions
from tmr.motion.conventions import Overrides
from tmr.motion.skeleton import JOINTS, NUM_JOINTS, joint
from tmr.motion.skeleton_roles import Points, Roles, find_roles

# Where spine1 to spine3 lie on the line of the spine, as parts of its length from pelvis to neck.
_SPINE = {"spine1": 0.22, "spine2": 0.48, "spine3": 0.59}
_COLLAR = 0.55  # of the way from spine3 to the shoulder
_COLLARS = ("left_collar", "right_collar")
_FEET = ("left_foot", "right_foot")
# Of the leg's length: a point below the ankle is taken for the toes if it is at least so far from
# the line of the shin; where there is none, toes are made so far before and below the ankle.
_TOES_APART, TOES_AHEAD, TOES_BELOW = 0.05, 0.16, 0.075

_SCENE = re.compile(r"^(.*[:|]|[mf]_avg_)")  # names of scenes and figures


@dataclass(frozen=True, slots=True)
class Profile:
    """How to read one family of skeletons.

    Exact names of joints count first. If they are not all there, names count without case, without
    a scene or figure before them ("mixamorig:Hips", or "Model_Hips" and "Model_Head"), and with
    left_ and right_ as l_ and r_.
    """

    joints: Mapping[str, str]  # our joint to the foreign one, for all that are not derived
    spine: tuple[str, ...] = ()  # foreign joints from pelvis to neck, both included
    unit: float | None = None  # meters; None finds it from the height of the body
    up: str | None = None  # axis; None finds it
    t_pose_first: bool | None = None  # the first frame is a T-pose, no motion; None finds it

    def needed(self) -> list[str]:
        """The foreign joints that the profile uses."""
        return [*self.spine, *self.joints.values()]

    def missing(self, names: Sequence[str]) -> list[str]:
        """The foreign joints that the profile needs and ``names`` lacks."""
        there = set(self._plain(names))
        return [name for name in self.needed() if _plain(name) not in there]

    def locate(self, names: Sequence[str]) -> Roles:
        """The joints called ``names`` that are ours.

        Raises:
            InputError: a name that is needed is missing, or is there twice.
        """
        if set(self.needed()) <= set(names):
            index = {name: names.index(name) for name in self.needed()}
        else:
            plain = self._plain(names)
            for name in self.needed():
                if plain.count(_plain(name)) > 1:
                    raise InputError(
                        f"joint {name!r} is there twice: expected one body in a file; one of "
                        "several is read by a profile=FILE.yaml with its names"
                    )
            index = {name: plain.index(_plain(name)) for name in self.needed()}
        joints = {ours: (index[theirs],) for ours, theirs in self.joints.items()}
        return Roles(joints, [(index[theirs],) for theirs in self.spine])

    def _plain(self, names: Sequence[str]) -> list[str]:
        """Names as they are compared: without what stands before that of the root."""
        plain = [_plain(name) for name in names]
        root = _plain(next(iter(self.needed())))
        roots = [name for name in plain if name.endswith(root)]
        prefix = roots[0].removesuffix(root) if len(roots) == 1 else ""
        return [name.removeprefix(prefix) for name in plain]


@dataclass(frozen=True, slots=True)
class SkeletonMap:
    """Which points of one skeleton are our joints, and what its profile states about the file.

    ``rest`` has all points in the rest pose of the skeleton.
    """

    name: str
    roles: Roles
    added: tuple[Point, ...] = ()
    profile: Profile = Profile({})
    warnings: tuple[str, ...] = ()
    rest: Float[np.ndarray, "points 3"] | None = None

    @property
    def points(self) -> list[int]:
        """All points that are needed."""
        used = {p for points in (*self.roles.joints.values(), *self.roles.spine) for p in points}
        return sorted(used)

    def select(
        self, positions: Float[np.ndarray, "frames points 3"]
    ) -> Float[np.ndarray, "frames 22 3"]:
        """Our 22 joints from the positions of :attr:`points`, in the same unit and axes."""
        row = {point: i for i, point in enumerate(self.points)}

        def place(points: Points) -> Float[np.ndarray, "frames 3"]:
            if len(points) == 1:
                return positions[:, row[points[0]]]
            return positions[:, [row[point] for point in points]].mean(axis=1)

        joints = np.empty((len(positions), NUM_JOINTS, 3))
        if self.roles.spine:
            line = np.stack([place(points) for points in self.roles.spine], axis=1)
            joints[:, joint("pelvis")] = line[:, 0]
            joints[:, joint("neck")] = line[:, -1]
            for ours, fraction in _SPINE.items():
                joints[:, joint(ours)] = _point_along(line, fraction)
        for ours, points in self.roles.joints.items():
            joints[:, joint(ours)] = place(points)
        chest = joints[:, joint("spine3")]
        for collar in _COLLARS:
            if collar not in self.roles.joints:
                shoulder = joints[:, joint(collar.replace("collar", "shoulder"))]
                joints[:, joint(collar)] = chest + _COLLAR * (shoulder - chest)
        return joints


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
        up="y",  # its takes on the ground do not show it
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


def known_profile(names: Sequence[str]) -> str | None:
    """The known profile that fits a skeleton; of several, the one that uses most joints."""
    fits = {name: profile for name, profile in PROFILES.items() if not profile.missing(names)}
    return max(fits, key=lambda name: len(fits[name].needed())) if fits else None


def map_skeleton(animation: Animation, wanted: str | None = None) -> SkeletonMap:
    """The map for a skeleton: by the ``wanted`` profile, a known one, or by names and hierarchy.

    Raises:
        InputError: no map is found; the message names the joint that is missing or contradicts.
    """
    names = animation.names
    warnings: list[str] = []
    if wanted is not None:
        profile = profile_named(wanted)
        if profile.missing(names):
            raise InputError(
                f"no joint {profile.missing(names)[0]!r}, which skeleton profile {wanted!r} needs; "
                f"found {_some(names)}"
            )
        name, roles = wanted, profile.locate(names)
    elif known := known_profile(names):
        name, profile = known, PROFILES[known]
        roles = profile.locate(names)
        _check_hierarchy(roles, animation)
    else:
        name, profile = "found by names and hierarchy", Profile({})
        places = _typical_places(animation)
        try:
            roles = find_roles(names, animation.parents, places)
        except InputError as error:
            raise InputError(
                f"{error}; found {_some(names)}. Known profiles are {_known()}; one of your own "
                "is given as profile=FILE.yaml"
            ) from None
    places, added = _complete(roles, animation, warnings)
    return SkeletonMap(name, roles, added, profile, tuple(warnings), places)


def _typical_places(animation: Animation) -> Float[np.ndarray, "points 3"]:
    """The points at rest, or in the middle of the motion where the rest pose has no extent."""
    places, _ = rest_pose(animation)
    points = range(len(animation.names))
    middle = world_positions(animation, points, first=animation.num_frames // 2, step=2**31)
    # Files whose position channels hold every bone may have an OFFSET of zero everywhere.
    return middle[0] if np.ptp(places) < np.ptp(middle[0]) / 10 else places


def _check_hierarchy(roles: Roles, animation: Animation) -> None:
    """Raise InputError where a limb of a known profile does not hang together."""
    for side in ("left", "right"):
        for limb in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")):
            points = [roles.joints[f"{side}_{name}"][0] for name in limb]
            for above, below in pairwise(points):
                at = below
                while at >= 0 and at != above:
                    at = animation.parents[at]
                if at < 0:
                    raise InputError(
                        f"joint {animation.names[below]!r} does not hang on "
                        f"{animation.names[above]!r}: names and hierarchy contradict each other; "
                        "if all is well, give a profile=FILE.yaml with the names"
                    )


def _complete(
    roles: Roles, animation: Animation, warnings: list[str]
) -> tuple[Float[np.ndarray, "points 3"], tuple[Point, ...]]:
    """Add head and toes that are missing, or that are no points of their own, to the roles.

    All points at rest, and those of them that the file lacks.
    """
    places, turns = rest_pose(animation)
    added: list[Point] = []
    made: list[np.ndarray] = []
    leg = [roles.joints[f"left_{name}"][0] for name in ("hip", "knee", "ankle")]
    length = float(np.linalg.norm(np.diff(places[leg], axis=0), axis=-1).sum())
    if length == 0:
        raise InputError("the left leg has no length at rest")
    for foot in _FEET:
        side = foot.removesuffix("_foot")
        knee, ankle = (roles.joints[f"{side}_{name}"][0] for name in ("knee", "ankle"))
        across = places[roles.joints["left_hip"][0]] - places[roles.joints["right_hip"][0]]
        shin = places[knee] - places[ankle]
        shin = shin / max(np.linalg.norm(shin), 1e-12)

        def apart(point: int, ankle: int = ankle, shin: np.ndarray = shin) -> float:
            reach = places[point] - places[ankle]
            return float(np.linalg.norm(reach - (reach @ shin) * shin))

        given = roles.joints.get(foot, (ankle,))[0]
        # At rest some skeletons point all their bones along one axis.
        if np.linalg.norm(places[given] - places[ankle]) > _TOES_APART * length:
            continue
        below = [p for p in _below(animation, ankle) if apart(p) > _TOES_APART * length]
        if below:
            nearest = [p for p in below if p in _below(animation, given)] or below
            roles.joints[foot] = (max(nearest, key=apart),)
            continue
        # None is there: before the foot, at a right angle to shin and hips.
        ahead = np.cross(across, shin)
        ahead = ahead / max(np.linalg.norm(ahead), 1e-12)
        toes = places[ankle] + length * (TOES_AHEAD * ahead - TOES_BELOW * shin)
        carrier = ankle if animation.names[ankle] else animation.parents[ankle]
        offset = rotations.rotate(rotations.inverse(turns[carrier]), toes - places[carrier])
        roles.joints[foot] = (len(animation.names) + len(added),)
        added.append(Point(carrier, tuple(offset.tolist())))
        made.append(toes)
    if added:
        warnings.append("the feet have no toes: they are put before the ankles")
    if "head" not in roles.joints:
        neck = roles.spine[-1][0]
        tips = [p for p in _below(animation, neck) if np.linalg.norm(places[p] - places[neck]) > 0]
        if not tips:
            raise InputError("no joint or End Site for the head above the neck")
        roles.joints["head"] = (tips[0],)
    return np.concatenate([places, np.array(made).reshape(-1, 3)]), tuple(added)


def _below(animation: Animation, joint: int) -> list[int]:
    """The points that hang on a joint, near or far."""
    found = {joint}
    for point, parent in enumerate(animation.parents):
        if parent in found:
            found.add(point)
    return sorted(found - {joint})


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
    derived = {*_COLLARS, *_FEET, "head", *(("pelvis", *_SPINE, "neck") if len(spine) > 1 else ())}
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


def _some(names: Sequence[str]) -> str:
    """The first names, so that an error stays one line."""
    named = [name for name in names if name]
    return _list(named[:12]) + (f" and {len(named) - 12} more" if len(named) > 12 else "")


def _known() -> str:
    return _list(PROFILES)


@cache
def _plain(name: str) -> str:
    name = _SCENE.sub("", name).lower()
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
