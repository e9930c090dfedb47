import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from tmr.motion import rotations


def unit(size: int):
    """Arrays of seven unit vectors."""
    coordinates = arrays(float, (7, size), elements=st.floats(-1, 1))
    return coordinates.filter(lambda v: (np.linalg.norm(v, axis=1) > 1e-3).all()).map(
        lambda v: v / np.linalg.norm(v, axis=1, keepdims=True)
    )


def in_scipy(q):
    return Rotation.from_quat(q, scalar_first=True)


@given(unit(3), unit(3))
def test_between_takes_one_direction_to_the_other(a, b):
    assume((np.linalg.norm(a + b, axis=1) > 1e-6).all())
    q = rotations.between(a, b)
    assert np.allclose(np.linalg.norm(q, axis=1), 1)
    assert np.allclose(in_scipy(q).apply(a), b, atol=1e-7)


@given(unit(3), unit(3))
def test_between_takes_the_shortest_way(a, b):
    assume((np.linalg.norm(a + b, axis=1) > 1e-6).all())
    angle = np.arccos(np.clip((a * b).sum(axis=1), -1, 1))
    assert np.allclose(in_scipy(rotations.between(a, b)).magnitude(), angle, atol=1e-7)


@given(unit(3))
def test_between_opposite_directions_is_a_half_turn(a):
    q = rotations.between(a, -a)
    assert np.allclose(q[:, 0], 0, atol=1e-9)
    assert np.allclose(in_scipy(q).apply(a), -a, atol=1e-7)


def test_a_nearly_vertical_direction_turns_half_round_exactly():
    a = np.array([[1e-7, 1.0, 1e-7]])
    a /= np.linalg.norm(a)
    assert np.allclose(in_scipy(rotations.between(a, -a)).apply(a), -a, atol=1e-12)


def test_turning_round_on_the_floor_keeps_upright():
    q = rotations.between(np.array([0.0, 0.0, -1.0]), np.array([0.0, 0.0, 1.0]))
    assert np.allclose(rotations.rotate(q, np.array([0.0, 1.0, 0.0])), [0, 1, 0])


@given(unit(4), unit(4), unit(3))
def test_product_inverse_and_rotate_agree_with_scipy(p, q, v):
    both = in_scipy(p) * in_scipy(q)
    assert np.allclose(rotations.rotate(rotations.multiply(p, q), v), both.apply(v))
    assert np.allclose(rotations.rotate(rotations.inverse(p), v), in_scipy(p).inv().apply(v))


@given(arrays(float, 7, elements=st.floats(-4, 4)), unit(3))
def test_yaw_turns_about_the_vertical_by_twice_the_angle(half_angle, v):
    turned = Rotation.from_rotvec(np.outer(2 * half_angle, [0, 1, 0])).apply(v)
    q = rotations.yaw(half_angle)
    assert np.allclose(rotations.rotate(q, v), turned)
    assert np.allclose(rotations.rotate_by_yaw(q, v), turned)


def test_a_positive_yaw_turns_forward_to_the_left():
    quarter = rotations.yaw(np.array(np.pi / 4))
    assert np.allclose(rotations.rotate(quarter, np.array([0.0, 0.0, 1.0])), [1, 0, 0])


def test_leading_axes_broadcast():
    q = rotations.yaw(np.linspace(0, 1, 5))[:, None]
    v = np.random.default_rng(0).normal(size=(3, 1, 4, 3))
    turned = rotations.rotate(q, v)
    assert turned.shape == (3, 5, 4, 3)
    assert np.allclose(turned[2, 3, 1], in_scipy(q[3, 0]).apply(v[2, 0, 1]))
