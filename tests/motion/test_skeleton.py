from itertools import pairwise

import numpy as np

from tmr.motion import skeleton


def test_each_joint_but_the_pelvis_is_on_one_chain_behind_its_parent():
    steps = [(a, b) for chain in skeleton.CHAINS for a, b in pairwise(chain)]
    assert sorted(child for _, child in steps) == list(range(1, 22))
    assert all(skeleton.PARENTS[child] == parent for parent, child in steps)


def test_left_and_right_are_paired_by_name_and_place():
    assert skeleton.LEFT_RIGHT == (
        (1, 2), (4, 5), (7, 8), (10, 11), (13, 14), (16, 17), (18, 19), (20, 21)
    )  # fmt: skip
    for left, right in skeleton.LEFT_RIGHT:
        mirrored = skeleton.REST_DIRECTIONS[right] * [-1, 1, 1]
        assert np.array_equal(skeleton.REST_DIRECTIONS[left], mirrored)


def test_joints_are_found_by_name():
    assert skeleton.joint("left_wrist") == 20
    assert skeleton.joint("right_wrist") == 21


def test_rest_directions_are_unit_vectors():
    assert np.linalg.norm(skeleton.REST_DIRECTIONS, axis=1).tolist() == [0] + [1] * 21


def test_bone_lengths_are_those_of_the_reference_clip(golden):
    first = golden["000021.joints"][0].astype(float)
    for j, parent in enumerate(skeleton.PARENTS[1:], start=1):
        assert np.isclose(skeleton.BONE_LENGTHS[j], np.linalg.norm(first[j] - first[parent]))
