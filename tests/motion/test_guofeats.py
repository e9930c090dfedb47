import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tmr.errors import InputError
from tmr.motion import guofeats
from tmr.motion.guofeats import features_to_joints, joints_to_features
from tmr.motion.mirror import mirror_joints
from tmr.motion.skeleton import BONE_LENGTHS, REST_DIRECTIONS

HUMANML3D = ("000000", "000001", "000002", "000021")
BANDAI = ("dataset-2_raise-up-left-hand_normal_001", "dataset-1_dash_angry_001")


def assert_within_tolerance(ours, reference):
    error = np.abs(ours.astype(float) - reference.astype(float))
    assert error.mean() < 1e-6
    assert error.max() < 1e-4


@pytest.fixture(scope="module")
def clip(golden) -> np.ndarray:
    return golden["000001.joints"][:, :22].astype(float)


@pytest.mark.parametrize("name", HUMANML3D + BANDAI)
def test_features_are_the_golden_ones(golden, name):
    assert_within_tolerance(joints_to_features(golden[f"{name}.joints"]), golden[f"{name}.feats"])


@pytest.mark.parametrize("name", HUMANML3D)
def test_features_are_the_official_ones_of_humanml3d(golden, name):
    ours = joints_to_features(golden[f"{name}.joints"])
    assert_within_tolerance(ours, golden[f"{name}.official"])


@pytest.mark.parametrize("name", HUMANML3D + BANDAI)
def test_mirrored_features_are_the_golden_ones(golden, name):
    mirrored = joints_to_features(mirror_joints(golden[f"{name}.joints"][:, :22]))
    assert_within_tolerance(mirrored, golden[f"{name}.feats_mirrored"])


@pytest.mark.parametrize("name", HUMANML3D + BANDAI)
def test_recovered_joints_are_the_golden_ones(golden, name):
    ours = features_to_joints(golden[f"{name}.feats"])
    assert_within_tolerance(ours, golden[f"{name}.recovered"])


def test_the_columns_are_each_named_once():
    parts = [
        guofeats.TURN_RATE, guofeats.ROOT_VELOCITY, guofeats.ROOT_HEIGHT, guofeats.POSITIONS,
        guofeats.ROTATIONS, guofeats.VELOCITIES, guofeats.CONTACTS,
    ]  # fmt: skip
    columns = [column for part in parts for column in range(guofeats.NUM_FEATURES)[part]]
    assert columns == list(range(263))


def test_joints_come_back_from_features(clip):
    back = features_to_joints(joints_to_features(clip))
    assert np.allclose(back, guofeats.normalize(clip)[:-1], atol=1e-9)


def test_features_do_not_see_place_size_heading_or_extra_joints(clip):
    turn = Rotation.from_euler("Y", 100, degrees=True).as_matrix()
    moved = 1.3 * clip @ turn.T + [4.0, -2.0, 7.0]
    moved = np.concatenate([moved, np.ones((len(moved), 2, 3))], axis=1)
    assert np.allclose(joints_to_features(moved), joints_to_features(clip), atol=1e-9)


def test_the_first_frame_is_on_the_floor_at_the_origin_facing_forward(clip):
    joints = guofeats.normalize(clip)
    assert joints[..., 1].min() == 0
    assert np.allclose(joints[0, 0, [0, 2]], 0)
    across = joints[0, 1] - joints[0, 2] + joints[0, 16] - joints[0, 17]
    assert across[0] > 0
    assert abs(across[2]) < 1e-12


def test_several_motions_are_recovered_at_once(golden):
    motions = np.stack([golden[f"{name}.feats"][:35] for name in HUMANML3D])
    together = features_to_joints(motions.reshape(2, 2, 35, 263))
    assert np.array_equal(together[1, 0], features_to_joints(motions[2]))


def test_someone_who_stands_still_has_no_velocity_and_both_feet_down(clip):
    features = joints_to_features(np.repeat(clip[:1], 5, axis=0))
    assert features.shape == (4, 263)
    # Frame 0 counts as unturned whatever its heading, so the first step may turn a little.
    assert np.allclose(features[1:, guofeats.TURN_RATE], 0)
    assert np.allclose(features[:, guofeats.ROOT_VELOCITY], 0)
    assert np.allclose(features[:, guofeats.VELOCITIES], 0)
    assert (features[:, guofeats.CONTACTS] == 1).all()


def test_a_steady_walk_straight_on_moves_along_z_only(clip):
    steps = np.arange(6)[:, None, None] * [0.0, 0.0, 0.05]
    walking = guofeats.normalize(clip)[:1] + steps
    features = joints_to_features(walking)
    assert np.allclose(features[:, guofeats.ROOT_VELOCITY][1:], [0, 0.05], atol=5e-3)
    # 0.05 ** 2 is above the contact threshold of 0.002.
    assert (features[:, guofeats.CONTACTS] == 0).all()


def test_a_body_at_rest_has_no_rotations():
    rest = np.zeros((22, 3))
    for j, parent in enumerate(
        (0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19), 1
    ):
        rest[j] = rest[parent] + BONE_LENGTHS[j] * REST_DIRECTIONS[j]
    features = joints_to_features(np.stack([rest, rest]))
    # Hips narrower than shoulders, taken in opposite senses, leave the pelvis of later frames
    # turned; frame 0, the only one with a row here, has the identity.
    identity = np.tile([1, 0, 0, 0, 1, 0], 21)
    assert np.allclose(features[0, guofeats.ROTATIONS], identity, atol=1e-7)


def broken(shape=(5, 22, 3), at=None, value=0.0):
    joints = np.random.default_rng(0).normal(size=shape)
    if at is not None:
        joints[at] = value
    return joints


@pytest.mark.parametrize(
    ("joints", "message"),
    [
        (broken((5, 66)), r"shape \(5, 66\), expected joint positions \(frames, 22, 3\)"),
        (broken((5, 21, 3)), r"shape \(5, 21, 3\)"),
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
