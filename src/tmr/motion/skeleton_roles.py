"""Our joints in a skeleton that nobody listed, found from names and hierarchy.

A name alone does not tell a joint: LeftLeg is a hip in one family and a knee in another,
LeftShoulder a collar or the joint of the arm. What names do tell, in nearly all families, is the
side, and which joints are feet, hands, head and neck. From those the hierarchy is walked upward:
the joint before the ankle is the knee, the one before it the hip. Twist bones, helpers and fingers
are passed over. A skeleton whose names contradict this walk is refused.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from tmr.errors import InputError

Points = tuple[int, ...]  # their mean is the place of a joint

_WORD = re.compile(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*|\d+")
_SIDES = {"l": "left", "left": "left", "r": "right", "right": "right"}
_HELPER = re.compile(
    r"^__|twist|roll|rigmesh|helper|dummy|corrective|weapon|prop\d*$|volume|adjust|holder"
    r"|(^|[\W_])(ik|fk|mch|ctrl|pole|target|offset)([\W_]|$)",
    re.IGNORECASE,
)
_FINGER = re.compile(
    r"thumb|index|middle|mid\d|mid$|ring\d|ring$|pinky|pinkie|little|finger|palm|carp|inhand|digit"
    r"|knuckle|fngr"
)
_FACE = re.compile(r"eye|jaw|tongue|teeth|lip|brow|cheek|hair|nose|ear(?!m)|lid|face|breast|skirt")
_ENDS = {"end", "nub", "tip", "top", "site", "effector"}
# Classes of names, the first that matches: on the name in lower case, without its side.
_CLASSES = (
    ("toe", re.compile(r"toe|ball|bale|metatars|forefoot|tarsal")),
    ("ankle", re.compile(r"foot|feet|ankle|talus")),
    ("leg", re.compile(r"thigh|leg|knee|shin|calf|femur|tibia|hip|buttock|fibula|glute")),
    ("wrist", re.compile(r"hand|wrist")),
    ("arm", re.compile(r"arm|elbow|shoulder|shldr|should|clav|collar|humerus|radius|ulna|scap")),
    ("neck", re.compile(r"neck|cervi")),
    ("head", re.compile(r"head|skull|atlas")),
    ("pelvis", re.compile(r"hips|hip|pelvis")),
)
_SIDED = re.compile(
    r"^(left|right|[lr])(?=(up|lo|fore|h|foot|feet|toe|ankle|knee|shin|calf|leg|thigh|femur|tibia"
    r"|arm|elbow|shoulder|shldr|clav|collar|radius|ulna|wrist|thumb|finger|butt))"
)
_SAME_PLACE = 1e-3  # of the leg: joints nearer to each other are at one place
_LONG = 0.35  # of the leg: a bone above the hip that is longer is a third bone of the leg


@dataclass(frozen=True, slots=True)
class Name:
    """What the name of a joint tells: its class and side ("" for none), and its stem."""

    part: str
    side: str
    stem: str
    is_helper: bool = False  # twist bones, targets, fingers and faces: passed over


@lru_cache(maxsize=4096)
def parse_name(name: str) -> Name:
    """Take a name apart: "mixamorig:LeftForeArm", "Bip01 L Thigh", "lShldrTwist", "thigh.L.001"."""
    plain = re.split(r"[:|]", name)[-1]
    words = _WORD.findall(plain)
    sides = [_SIDES[word.lower()] for word in words if word.lower() in _SIDES]
    rest = "".join(word.lower() for word in words if word.lower() not in _SIDES)
    if not sides:
        for word in words:
            match = _SIDED.match(word.lower())
            if match and len(word) > 3:
                sides = [_SIDES[match[1]]]
                rest = rest.replace(word.lower(), word.lower()[match.end(1) :], 1)
                break
    side = sides[0] if sides else ""
    stem = re.sub(r"\d+", "", rest)
    plain_words = [re.sub(r"\d", "", word.lower()) for word in words]
    last = [word for word in plain_words if word and word not in _SIDES][-1:]
    helper = bool(_HELPER.search(plain) or _FINGER.search(rest) or _FACE.search(rest))
    if helper or set(last) & _ENDS:
        return Name("", side, stem, is_helper=True)
    part = next((part for part, words in _CLASSES if words.search(rest)), "")
    if part == "leg" and not side:
        part = "pelvis" if re.search(r"hip", rest) else ""
    return Name(part, side, stem)


@dataclass(slots=True)
class Roles:
    """The points of a skeleton that are our joints; ``spine`` leads from pelvis to neck."""

    joints: dict[str, Points] = field(default_factory=dict)
    spine: list[Points] = field(default_factory=list)


def find_roles(
    names: Sequence[str], parents: Sequence[int], places: Float[np.ndarray, "points 3"]
) -> Roles:
    """The roles of joints called ``names``; ``places`` are those of one frame.

    Joints that the skeleton lacks (toes, head, collars) are left out.

    Raises:
        InputError: a limb is not there, or names and hierarchy contradict each other.
    """
    return _Finder(names, parents, places).find()


class _Finder:
    def __init__(
        self, names: Sequence[str], parents: Sequence[int], places: Float[np.ndarray, "points 3"]
    ) -> None:
        self.names = names
        self.parents = parents
        self.places = places
        self.parsed = [parse_name(name) if name else Name("", "", "", True) for name in names]
        self.depth = _depths(parents)
        self.scale = max(float(np.linalg.norm(np.ptp(places, axis=0))), 1e-12)

    def find(self) -> Roles:
        roles = Roles()
        legs = {side: self._leg(side) for side in ("left", "right")}
        arms = {side: self._arm(side) for side in ("left", "right")}
        for kind, limbs in (("leg", legs), ("arm", arms)):
            self._check_alike(kind, limbs["left"], limbs["right"])
        for side, (hip, knee, ankle) in legs.items():
            roles.joints |= {
                f"{side}_hip": (hip,), f"{side}_knee": (knee,), f"{side}_ankle": (ankle,)
            }  # fmt: skip
            toe = self._toe(side, ankle)
            if toe is not None:
                roles.joints[f"{side}_foot"] = (toe,)
        for side, (shoulder, elbow, wrist, *collar) in arms.items():
            roles.joints |= {
                f"{side}_shoulder": (shoulder,),
                f"{side}_elbow": (elbow,),
                f"{side}_wrist": (wrist,),
            }
            if collar:
                roles.joints[f"{side}_collar"] = (collar[0],)
        self._trunk(roles, legs, arms)
        return roles

    def _leg(self, side: str) -> list[int]:
        """Hip, knee and ankle."""
        ankle = self._topmost(side, "ankle")
        if ankle is None:
            ankle = self._tip(side, "leg", "foot or ankle")
        knee, hip, *above = self._chain(ankle, side, "leg")
        leg = self._distance(hip, knee) + self._distance(knee, ankle)
        if any(
            self._distance(a, b) > _LONG * leg for a, b in zip([hip, *above], above, strict=False)
        ):
            raise InputError(
                f"the {side} leg has three long bones above {self._name(ankle)}: this is not the "
                "skeleton of a human"
            )
        return [hip, knee, ankle]

    def _arm(self, side: str) -> list[int]:
        """Shoulder, elbow and wrist, and the collar where there is one."""
        wrist = self._topmost(side, "wrist")
        if wrist is None:
            wrist = self._tip(side, "arm", "hand or wrist")
        elbow, shoulder, *above = self._chain(wrist, side, "arm")
        collars = [j for j in above if self._distance(j, shoulder) > _SAME_PLACE * self.scale]
        return [shoulder, elbow, wrist, *collars[:1]]

    def _chain(self, end: int, side: str, part: str) -> list[int]:
        """The joints of a limb before its end, upward, as far as the side goes."""
        chain: list[int] = []
        for joint in self._ancestors(end):
            parsed = self.parsed[joint]
            if parsed.is_helper:
                continue
            if parsed.side != side:
                break
            if chain and self.parsed[chain[-1]].stem == parsed.stem:
                chain[-1] = joint  # thigh.L above thigh.L.001, upperleg01 above upperleg02
            elif self._distance(joint, chain[-1] if chain else end) > _SAME_PLACE * self.scale:
                chain.append(joint)
        wrong = next((j for j in chain[:2] if self.parsed[j].part not in (part, "")), None)
        if len(chain) < 2 or wrong is not None:
            found = self._name(wrong) if wrong is not None else f"{len(chain)}"
            raise InputError(
                f"expected two joints of the {side} {part} above {self._name(end)}, found {found}"
            )
        return chain

    def _tip(self, side: str, part: str, wanted: str) -> int:
        """The End Site below the last joint of a limb that has no foot or hand."""
        joints = self._of(side, part)
        if joints:
            last = max(joints, key=lambda j: self.depth[j])
            for child, parent in enumerate(self.parents):
                if parent == last and self._distance(child, last) > _SAME_PLACE * self.scale:
                    return child
        raise InputError(f"no joint that is called the {side} {wanted}")

    def _toe(self, side: str, ankle: int) -> int | None:
        """The joint of the toes."""
        below = [j for j in range(ankle + 1, len(self.names)) if ankle in self._upward(j)]
        toes = [j for j in below if self.parsed[j].part == "toe" and self.parsed[j].side == side]
        return toes[0] if toes else None

    def _trunk(self, roles: Roles, legs: dict[str, list[int]], arms: dict[str, list[int]]) -> None:
        """Pelvis, the line of the spine, neck and head."""
        bases = tuple(arm[3] if len(arm) > 3 else arm[0] for arm in arms.values())
        between_legs = self._common([leg[0] for leg in legs.values()], "legs")
        chest = self._common(bases, "arms")
        named = [j for j in self._upward(between_legs) if self.parsed[j].part == "pelvis"]
        pelvis = named[0] if named else between_legs
        roles.joints["pelvis"] = (pelvis,)
        head, neck = self._head_and_neck(chest)
        nape = self.places[list(bases if neck is None else (neck,))].mean(axis=0)
        if np.linalg.norm(self.places[head] - nape) < _SAME_PLACE * self.scale:
            head = next((c for c, p in enumerate(self.parents) if p == head), head)
        roles.joints["head"] = (head,)
        below = self._upward(pelvis)
        line = [j for j in reversed(self._upward(chest)) if j not in below]
        if neck is not None:
            above = [j for j in reversed(self._upward(neck)) if self.depth[j] > self.depth[chest]]
            line = [j for j in line if j != neck] + [j for j in above if j != neck]
        roles.spine = [(pelvis,), *((j,) for j in line), bases if neck is None else (neck,)]

    def _head_and_neck(self, chest: int) -> tuple[int, int | None]:
        """The head, and the first joint of the neck that is not in the chest."""
        heads = [j for j in self._of("", "head") if chest in self._upward(j)]
        necks = [j for j in self._of("", "neck") if chest in self._upward(j)]
        if heads:
            necks = [j for j in necks if j in self._upward(heads[0])]
        apart = [j for j in necks if self._distance(j, chest) > _SAME_PLACE * self.scale]
        if heads:
            return heads[0], next(iter(apart or necks), None)
        if len(apart) > 1:
            return apart[-1], apart[0]
        for neck in apart or necks[-1:]:
            for child, parent in enumerate(self.parents):
                if parent == neck and self._distance(child, neck) > _SAME_PLACE * self.scale:
                    return child, neck
        raise InputError("no joint that is called head or neck above the arms")

    def _check_alike(self, kind: str, left: list[int], right: list[int]) -> None:
        for a, b in zip(left, right, strict=False):
            if self.parsed[a].stem != self.parsed[b].stem:
                raise InputError(
                    f"the {kind}s are not alike: {self._name(a)} on the left where there is "
                    f"{self._name(b)} on the right"
                )

    def _topmost(self, side: str, part: str) -> int | None:
        joints = self._of(side, part)
        if not joints:
            return None
        top = min(self.depth[j] for j in joints)
        found = [j for j in joints if self.depth[j] == top]
        if len(found) > 1:
            names = " and ".join(self._name(j) for j in found[:2])
            raise InputError(
                f"found {names}: expected one body in a file; one of several is read by a "
                "profile=FILE.yaml with its names"
            )
        return found[0]

    def _of(self, side: str, part: str) -> list[int]:
        return [j for j, p in enumerate(self.parsed) if p.part == part and p.side == side]

    def _common(self, joints: Sequence[int], what: str) -> int:
        """The nearest joint that all hang on."""
        lines = [self._ancestors(j) for j in joints]
        for joint in lines[0]:
            if all(joint in line for line in lines[1:]):
                return joint
        raise InputError(f"the {what} do not hang on one joint")

    def _upward(self, joint: int) -> list[int]:
        """The joint and all before it."""
        return [joint, *self._ancestors(joint)]

    def _ancestors(self, joint: int) -> list[int]:
        found = []
        while self.parents[joint] >= 0:
            joint = self.parents[joint]
            found.append(joint)
        return found

    def _distance(self, a: int, b: int) -> float:
        return float(np.linalg.norm(self.places[a] - self.places[b]))

    def _name(self, joint: int) -> str:
        name = self.names[joint]
        return repr(name) if name else f"the End Site of {self.names[self.parents[joint]]!r}"


def _depths(parents: Sequence[int]) -> list[int]:
    depths: list[int] = []
    for parent in parents:
        depths.append(0 if parent < 0 else depths[parent] + 1)
    return depths
