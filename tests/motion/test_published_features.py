import numpy as np
import pytest

from tmr.errors import InputError
from tmr.motion.guofeats import TURN_RATE, checked_joints, joints_to_features
from tmr.motion.mirror import mirror_joints
from tmr.motion.published import published_features, published_pairs
from tmr.motion.rotations import rotate_by_yaw
from tmr.motion.skeleton import BONE_LENGTHS, PARENTS, REST_DIRECTIONS

CLIPS = (
    "000000",
    "000001",
    "000002",
    "000021",
    "dataset-1_dash_angry_001",
    "dataset-2_raise-up-left-hand_normal_001",
)


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("mirrored", [False, True])
def test_every_bit_is_the_published_one(shared, clip, mirrored):
    golden = np.load(shared / "golden" / "features.npz")
    joints = golden[f"{clip}.joints"][:, :22]
    ours = published_features(mirror_joints(joints) if mirrored else joints)
    theirs = golden[f"{clip}.feats_mirrored" if mirrored else f"{clip}.feats"]
    behind = slice(TURN_RATE.stop, None)
    assert np.array_equal(ours[:, behind], theirs[:, behind])
    # The arcsine of the platform's library may differ in the last place.
    assert np.abs(ours[:, TURN_RATE] - theirs[:, TURN_RATE]).max() < 1e-8


def test_they_are_the_features_in_double_precision_but_for_rounding(shared):
    golden = np.load(shared / "golden" / "features.npz")
    joints = golden["000021.joints"][:, :22]
    assert np.abs(published_features(joints) - joints_to_features(joints)).max() < 1e-4


def test_pairs_are_the_features_of_each_clip_and_of_its_mirror_image(shared):
    golden = np.load(shared / "golden" / "features.npz")
    motions = [checked_joints(golden[f"{clip}.joints"]) for clip in CLIPS]
    for joints, (features, mirrored) in zip(motions, published_pairs(motions), strict=True):
        assert features.tobytes() == published_features(joints).tobytes()
        assert mirrored.tobytes() == published_features(mirror_joints(joints)).tobytes()


def test_who_faces_straight_back_is_turned_round_upright():
    rest = np.zeros((3, 22, 3))
    for j, parent in enumerate(PARENTS[1:], start=1):
        rest[:, j] = rest[:, parent] + BONE_LENGTHS[j] * REST_DIRECTIONS[j]
    turned = rotate_by_yaw(np.array([0.0, 0.0, 1.0, 0.0]), rest)
    assert np.array_equal(turned[0, :3, 0], -rest[0, :3, 0])
    for function in (published_features, joints_to_features):
        assert np.allclose(function(turned)[0, 4:67], function(rest)[0, 4:67], atol=1e-6)


def test_a_person_who_lies_along_the_up_axis_has_finite_features():
    joints = np.zeros((4, 22, 3))
    joints[..., 1] = np.linspace(1, 2, 22)
    assert np.isfinite(published_features(joints)).all()


def test_one_frame_is_refused():
    with pytest.raises(InputError, match="at least 2"):
        published_features(np.zeros((1, 22, 3)))
