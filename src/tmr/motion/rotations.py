"""Unit quaternions, scalar first: (w, x, y, z). All functions broadcast over leading axes."""

import numpy as np
from jaxtyping import Float

IDENTITY = np.array([1.0, 0.0, 0.0, 0.0])


def between(
    a: Float[np.ndarray, "*#batch 3"], b: Float[np.ndarray, "*#batch 3"]
) -> Float[np.ndarray, "*batch 4"]:
    """The smallest rotation that takes the unit vector ``a`` to the unit vector ``b``.

    It is (1 + a.b, a x b), normalized. Opposite vectors leave the axis open: they get the half
    turn about the axis nearest to +Y (about +X where ``a`` is itself vertical).
    """
    w = 1 + _dot(a, b)
    quaternion = np.empty((*w.shape[:-1], 4))
    quaternion[..., :1] = w
    quaternion[..., 1:] = _cross(a, b)
    length = np.sqrt(_dot(quaternion, quaternion))
    opposite = length < 1e-12
    if opposite.any():
        half_turn = np.zeros_like(quaternion)
        half_turn[..., 1:] = _perpendicular(a)
        quaternion = np.where(opposite, half_turn, quaternion)
        length = np.where(opposite, 1.0, length)
    return quaternion / length


def multiply(
    p: Float[np.ndarray, "*#batch 4"], q: Float[np.ndarray, "*#batch 4"]
) -> Float[np.ndarray, "*batch 4"]:
    """The rotation ``q`` followed by ``p`` (Hamilton product p q)."""
    pw, px, py, pz = (p[..., k] for k in range(4))
    qw, qx, qy, qz = (q[..., k] for k in range(4))
    w = pw * qw - px * qx - py * qy - pz * qz
    product = np.empty((*w.shape, 4))
    product[..., 0] = w
    product[..., 1] = pw * qx + px * qw + py * qz - pz * qy
    product[..., 2] = pw * qy - px * qz + py * qw + pz * qx
    product[..., 3] = pw * qz + px * qy - py * qx + pz * qw
    return product


def inverse(q: Float[np.ndarray, "*batch 4"]) -> Float[np.ndarray, "*batch 4"]:
    """The rotation that undoes the unit quaternion ``q``."""
    return q * np.array([1.0, -1.0, -1.0, -1.0])


def rotate(
    q: Float[np.ndarray, "*#batch 4"], v: Float[np.ndarray, "*#batch 3"]
) -> Float[np.ndarray, "*batch 3"]:
    """The vectors ``v`` turned by the unit quaternions ``q``: v + 2w (u x v) + 2 u x (u x v)."""
    axis = q[..., 1:]
    twice = 2 * _cross(axis, v)
    return v + q[..., :1] * twice + _cross(axis, twice)


def yaw(half_angle: Float[np.ndarray, "*batch"]) -> Float[np.ndarray, "*batch 4"]:
    """The rotation about +Y (from +Z towards +X) by twice the given angle in radians."""
    quaternion = np.zeros((*half_angle.shape, 4))
    quaternion[..., 0] = np.cos(half_angle)
    quaternion[..., 2] = np.sin(half_angle)
    return quaternion


def rotate_by_yaw(
    q: Float[np.ndarray, "*#batch 4"], v: Float[np.ndarray, "*#batch 3"]
) -> Float[np.ndarray, "*batch 3"]:
    """The vectors ``v`` turned by quaternions about Y; much faster than :func:`rotate`."""
    w, y = q[..., 0], q[..., 2]
    cos, sin = w * w - y * y, 2 * w * y
    vx, vz = v[..., 0], v[..., 2]
    x = cos * vx + sin * vz
    turned = np.empty((*x.shape, 3))
    turned[..., 0] = x
    turned[..., 1] = v[..., 1]
    turned[..., 2] = cos * vz - sin * vx
    return turned


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.einsum("...k,...k->...", a, b)[..., None]


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    # np.cross spends more time on its own axis bookkeeping than on a clip of this size.
    ax, ay, az = a[..., 0], a[..., 1], a[..., 2]
    bx, by, bz = b[..., 0], b[..., 1], b[..., 2]
    x = ay * bz - az * by
    product = np.empty((*x.shape, 3))
    product[..., 0] = x
    product[..., 1] = az * bx - ax * bz
    product[..., 2] = ax * by - ay * bx
    return product


def _perpendicular(a: np.ndarray) -> np.ndarray:
    """A unit vector at a right angle to ``a``: as near to +Y as can be, or else to +X."""
    upright = np.array([0.0, 1.0, 0.0]) - a[..., 1:2] * a
    across = np.array([1.0, 0.0, 0.0]) - a[..., 0:1] * a
    vertical = _dot(upright, upright) < 1e-12
    found = np.where(vertical, across, upright)
    return found / np.sqrt(_dot(found, found))
