"""The smoothed norm: its derivatives by finite differences, convexity, and its limit."""

from __future__ import annotations

import numpy as np
import pytest
from support.makers import about

from fastaif import norms

DUAL_ORDERS = [1.0, 1.5, 2.0, 3.0, 7.0, np.inf]
WIDTHS = [0.5, 0.05]
VECTORS = [
    np.array([0.8, -0.3, 0.05]),
    np.array([0.0, 0.4, -0.4, 0.0]),  # ties and zeros: kinks of the norm itself
    np.array([-2.0]),
    np.zeros(3),
]


def difference(function, u, step=1e-5):
    """Central differences along each coordinate, stacked in the last axis."""
    shifts = step * np.eye(u.size)
    columns = [(function(u + e) - function(u - e)) / (2 * step) for e in shifts]
    return np.stack(columns, axis=-1)


@pytest.mark.parametrize("q", DUAL_ORDERS)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("u", VECTORS, ids=str)
def test_derivatives(q, width, u):
    _, gradient, hessian = norms.smooth_norm(u, q, width)
    step = 1e-4 * width
    expected = difference(lambda v: norms.smooth_norm(v, q, width)[0], u, step)
    np.testing.assert_allclose(gradient, expected, atol=1e-7)
    expected = difference(lambda v: norms.smooth_norm(v, q, width)[1], u, step)
    np.testing.assert_allclose(hessian, expected, atol=1e-6 / width)


@pytest.mark.parametrize("q", DUAL_ORDERS)
@pytest.mark.parametrize("width", [0.5, 0.01, 1e-8])
@pytest.mark.parametrize("u", VECTORS, ids=str)
def test_hessian_is_positive_semidefinite(q, width, u):
    _, _, hessian = norms.smooth_norm(u, q, width)
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-12, atol=1e-300)
    values = np.linalg.eigvalsh(hessian)
    assert values[0] >= -1e-12 * max(values[-1], 1.0)


@pytest.mark.parametrize("q", DUAL_ORDERS)
def test_convex_along_random_chords(q, rng):
    for _ in range(100):
        a, b = rng.normal(size=(2, 4))
        ends = [norms.smooth_norm(v, q, 0.1)[0] for v in (a, b)]
        middle = norms.smooth_norm(0.5 * (a + b), q, 0.1)[0]
        assert middle <= 0.5 * sum(ends) + 1e-14


@pytest.mark.parametrize("q", DUAL_ORDERS)
def test_width_bounds_the_error(q, rng):
    """Smoothing adds at most a few widths, and never takes anything away."""
    for width in (1e-1, 1e-4, 1e-8, 1e-12):
        u = rng.normal(size=5)
        excess = norms.smooth_norm(u, q, width)[0] - norms.lp_norm(u, q)
        assert -1e-15 <= excess <= 5 * width


@pytest.mark.parametrize("q", DUAL_ORDERS)
def test_width_zero_is_the_norm(q, rng):
    u = rng.normal(size=5)
    value, gradient, hessian = norms.smooth_norm(u, q, 0.0)
    assert value == about(norms.lp_norm(u, q), rel=1e-14)
    np.testing.assert_allclose(gradient, norms.dual_direction(u, norms.conjugate(q)), rtol=1e-12)
    # The norm is homogeneous: its Hessian sends u to zero.
    np.testing.assert_allclose(hessian @ u, 0.0, atol=1e-14 * max(np.abs(hessian).max(), 1.0))


def test_no_gradient_at_zero_without_a_width():
    with pytest.raises(ValueError, match="no gradient at zero"):
        norms.smooth_norm(np.zeros(3), 2.0, 0.0)


def test_an_exact_zero_has_the_euclidean_norm_s_curvature():
    _, gradient, hessian = norms.smooth_norm(np.array([3.0, 0.0, 4.0]), 2.0, 0.0)
    np.testing.assert_allclose(gradient, [0.6, 0.0, 0.8], atol=1e-15)
    np.testing.assert_allclose(hessian, (np.eye(3) - np.outer(gradient, gradient)) / 5, atol=1e-15)
