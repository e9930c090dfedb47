"""Features against the golden ones, bit for bit, and against a float64 oracle."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tests.motion import reference_features as reference
from tmr.errors import InputError
from tmr.motion import features as columns
from tmr.motion.features import (
    NUM_FEATURES,
    checked_joints,
    features_to_joints,
    joints_to_feature_pairs,
    joints_to_features,
)
from tmr.motion.mirror import mirror_joints
from tmr.synthetic.clip_builder import Spec
from tmr.synthetic.sequences import animate

HUMANML3D = ("000000", "000001", "000002", "000021")
BANDAI = ("dataset-2_raise-up-left-hand_normal_001", "dataset-1_dash_angry_001")


def assert_within_tolerance(ours: np.ndarray, other: np.ndarray) -> None:
    error = np.abs(ours.astype(float) - other.astype(float))
    assert error.mean() < 1e-6
    assert error.max() < 1e-4


@pytest.fixture(scope="module")
def clip() -> np.ndarray:
    """A procedural person who walks and then squats."""
    motion = animate((Spec("walk"), Spec("squat")), np.random.default_rng(0))
    return motion.joints.astype(float)


def test_features_are_the_reference_ones_but_for_rounding(clip):
    assert_within_tolerance(joints_to_features(clip), reference.joints_to_features(clip))


def test_features_of_any_pose_are_the_reference_ones_but_for_rounding():
    poses = np.random.default_rng(3).normal(size=(60, 22, 3))
    ours, theirs = joints_to_features(poses), reference.joints_to_features(poses)
    assert np.allclose(ours, theirs, atol=1e-4)


def test_pairs_are_the_features_of_each_clip_and_of_its_mirror_image(clip):
    motions = [checked_joints(part) for part in (clip[:30], clip[10:], 2.0 * clip[20:25])]
    for joints, (features, mirrored) in zip(motions, joints_to_feature_pairs(motions), strict=True):
        assert features.tobytes() == joints_to_features(joints).tobytes()
        assert mirrored.tobytes() == joints_to_features(mirror_joints(joints)).tobytes()


def test_columns_and_signs_tell_the_features_of_the_mirror_image(clip):
    """But for the reference skeleton, whose sides differ by half a centimeter."""
    ((own, image),) = joints_to_feature_pairs([clip])
    guessed = own[:, columns.MIRRORED_COLUMNS] * columns.MIRRORED_SIGNS
    moving, standing = slice(0, columns.CONTACTS.start), columns.CONTACTS
    assert np.abs(guessed - image)[:, moving].max() < 0.02
    assert (guessed[:, standing] == image[:, standing]).mean() > 0.98
    assert np.abs(own - image)[:, moving].max() > 0.5


@pytest.mark.parametrize("name", HUMANML3D + BANDAI)
@pytest.mark.parametrize("mirrored", [False, True])
def test_features_are_the_golden_ones_bit_for_bit(golden, name, mirrored):
    joints = golden[f"{name}.joints"][:, :22]
    ours = joints_to_features(mirror_joints(joints) if mirrored else joints)
    theirs = golden[f"{name}.feats_mirrored" if mirrored else f"{name}.feats"]
    others = slice(columns.TURN_RATE.stop, None)
    assert np.array_equal(ours[:, others], theirs[:, others])
    # The arcsine of the platform's library may differ in the last place.
    assert np.abs(ours - theirs)[:, columns.TURN_RATE].max() < 1e-8


@pytest.mark.parametrize("name", HUMANML3D)
def test_features_are_the_official_ones_of_humanml3d(golden, name):
    ours = joints_to_features(golden[f"{name}.joints"])
    assert_within_tolerance(ours, golden[f"{name}.official"])


@pytest.mark.parametrize("name", HUMANML3D + BANDAI)
def test_recovered_joints_are_the_golden_ones(golden, name):
    ours = features_to_joints(golden[f"{name}.feats"])
    assert_within_tolerance(ours, golden[f"{name}.recovered"])


def test_the_columns_are_each_named_once():
    parts = [
        columns.TURN_RATE, columns.ROOT_VELOCITY, columns.ROOT_HEIGHT, columns.POSITIONS,
        columns.ROTATIONS, columns.VELOCITIES, columns.CONTACTS,
    ]  # fmt: skip
    named = [column for part in parts for column in range(NUM_FEATURES)[part]]
    assert named == list(range(263))


def test_joints_come_back_from_features(clip):
    back = features_to_joints(joints_to_features(clip))
    assert np.abs(back - reference.normalize(clip)[:-1]).max() < 1e-4


def test_features_do_not_see_place_size_heading_or_extra_joints(clip):
    turn = Rotation.from_euler("Y", 100, degrees=True).as_matrix()
    moved = 1.3 * clip @ turn.T + [4.0, -2.0, 7.0]
    moved = np.concatenate([moved, np.ones((len(moved), 2, 3))], axis=1)
    assert np.allclose(joints_to_features(moved), joints_to_features(clip), atol=1e-4)


def test_the_first_frame_is_on_the_floor_at_the_origin_facing_forward(clip):
    joints = features_to_joints(joints_to_features(clip))
    assert abs(joints[..., 1].min()) < 1e-6
    assert np.allclose(joints[0, 0, [0, 2]], 0)
    across = joints[0, 1] - joints[0, 2] + joints[0, 16] - joints[0, 17]
    assert across[0] > 0
    # The rows count from the smoothed heading, but that of frame 0, which is taken as unturned.
    assert abs(across[2]) < 1e-6


def test_several_motions_are_recovered_at_once(golden):
    motions = np.stack([golden[f"{name}.feats"][:35] for name in HUMANML3D])
    together = features_to_joints(motions.reshape(2, 2, 35, 263))
    assert np.array_equal(together[1, 0], features_to_joints(motions[2]))


def test_someone_who_stands_still_has_no_velocity_and_both_feet_down(clip):
    features = joints_to_features(np.repeat(clip[:1], 5, axis=0))
    assert features.shape == (4, 263)
    # Frame 0 counts as unturned whatever its heading, so the first step may turn a little.
    assert np.allclose(features[1:, columns.TURN_RATE], 0)
    assert np.allclose(features[:, columns.ROOT_VELOCITY], 0)
    assert np.allclose(features[:, columns.VELOCITIES], 0, atol=1e-6)
    assert (features[:, columns.CONTACTS] == 1).all()


def test_a_steady_walk_straight_on_moves_along_z_only(clip):
    steps = np.arange(6)[:, None, None] * [0.0, 0.0, 0.05]
    walking = reference.normalize(clip)[:1] + steps
    features = joints_to_features(walking)
    assert np.allclose(features[:, columns.ROOT_VELOCITY][1:], [0, 0.05], atol=5e-3)
    # 0.05 ** 2 is above the contact threshold of 0.002.
    assert (features[:, columns.CONTACTS] == 0).all()


def test_a_body_at_rest_has_no_rotations():
    rest = reference.rest_pose()
    features = joints_to_features(np.stack([rest, rest]))
    # Hips narrower than shoulders, taken in opposite senses, leave the pelvis of later frames
    # turned; frame 0, the only one with a row here, has the identity.
    identity = np.tile([1, 0, 0, 0, 1, 0], 21)
    assert np.allclose(features[0, columns.ROTATIONS], identity, atol=1e-7)


def test_a_person_who_faces_backward_is_turned_upright():
    rest = np.repeat(reference.rest_pose()[None], 3, axis=0)
    turned = rest * [-1, 1, -1]
    ours, theirs = joints_to_features(turned), joints_to_features(rest)
    assert np.allclose(ours[0, columns.POSITIONS], theirs[0, columns.POSITIONS], atol=1e-6)


def test_a_person_who_lies_along_the_up_axis_has_finite_features():
    joints = np.zeros((4, 22, 3))
    joints[..., 1] = np.linspace(1, 2, 22)
    assert np.isfinite(joints_to_features(joints)).all()


def broken(shape=(5, 22, 3), at=None, value=0.0):
    joints = np.random.default_rng(0).normal(size=shape)
    if at is not None:
        joints[at] = value
    return joints


@pytest.mark.parametrize(
    ("joints", "message"),
    [
        (broken((5, 66)), r"shape \(5, 66\), expected joint positions \(frames, 22, 3\)"),
        (broken((5, 23, 3)), r"shape \(5, 23, 3\), .* with 17, 20, 21, 22, 24,"),
        (broken((5, 32, 3)), "found 32 joints: not of Human3.6M with 32 joints"),
        (broken((1, 22, 3)), "1 frame"),
        (broken((0, 22, 3)), "0 frame"),
        (broken(at=(3, 20, 1), value=np.nan), "frame 3: the position of left_wrist is NaN"),
        (broken(at=(2, 0, 0), value=np.inf), "frame 2: the position of pelvis"),
        (broken(at=(4,)), "frame 4: left_hip is in the same place as its parent"),
        (broken().astype(str), "expected numbers"),
    ],
)
def test_joints_that_cannot_be_used_are_refused_by_name(joints, message):
    with pytest.raises(InputError, match=message):
        joints_to_features(joints)
