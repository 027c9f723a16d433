"""Projection on the lp ball: feasible, the nearest point, and right at extreme magnitudes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.makers import ORDERS, about

from fastaif import norms

orders = st.one_of(st.sampled_from(ORDERS), st.floats(1.1, 20.0))
coordinates = st.lists(st.floats(-100.0, 100.0), min_size=1, max_size=8).map(np.array)
radii = st.floats(0.01, 50.0)
seeds = st.integers(0, 2**32 - 1)


@given(coordinates, radii, orders)
def test_points_inside_stay(v, radius, p):
    size = norms.lp_norm(v, p)
    inside = v if size <= radius else v * (0.99 * radius / size)
    np.testing.assert_array_equal(norms.project_ball(inside, radius, p), inside)


@given(coordinates, radii, orders)
def test_points_outside_land_on_the_sphere(v, radius, p):
    if norms.lp_norm(v, p) <= radius:
        return
    size = norms.lp_norm(norms.project_ball(v, radius, p), p)
    assert size == about(radius, rel=1e-13)


@settings(max_examples=60)
@given(coordinates, radii, orders, seeds)
def test_variational_inequality(v, radius, p, seed):
    """u is the nearest point of a convex set exactly if <v - u, z - u> <= 0 for all its z."""
    u = norms.project_ball(v, radius, p)
    rivals = feasible(v, radius, p, np.random.default_rng(seed))
    products = (rivals - u) @ (v - u)
    size = np.linalg.norm(v - u) * np.linalg.norm(rivals - u, axis=1)
    assert np.all(products <= 1e-11 * size + 1e-11 * radius * np.linalg.norm(v - u))


def feasible(v, radius, p, rng):
    """Points of the ball: random ones, corners, and the best one along v - u itself."""
    z = rng.normal(size=(60, v.size))
    z *= (radius * rng.uniform(0.2, 1.0, size=60) / norms.lp_norm(z, p))[:, None]
    corners = radius * np.concatenate([np.eye(v.size), -np.eye(v.size)])
    away = v - norms.project_ball(v, radius, p)
    return np.vstack([z, corners, radius * norms.dual_direction(away, p)])


@given(coordinates, radii, orders)
def test_residual_is_normal_to_the_ball(v, radius, p):
    """v - u is a multiple of a gradient of the norm at u, so <v - u, u> = r ||v - u||_q."""
    u = norms.project_ball(v, radius, p)
    away = v - u  # to the rounding of v
    dual = float(norms.lp_norm(away, norms.conjugate(p)))
    slack = 1e-15 * radius * np.abs(v).sum()
    assert abs(away @ u - radius * dual) <= 1e-11 * radius * dual + slack


@pytest.mark.parametrize("p", [1.0, 1.1, 1.5, 2.0, 3.0, 10.0, np.inf])
@pytest.mark.parametrize("size", [1e-200, 1e-20, 1e4, 1e8, 1e20, 1e100, 1e200])
@pytest.mark.parametrize("radius", [1e-9, 1.0])
def test_extreme_magnitudes(p, size, radius):
    v = np.array([1.0, -0.5, 0.3, 0.0]) * size
    u = norms.project_ball(v, radius, p)
    assert np.isfinite(u).all()
    if norms.lp_norm(v, p) <= radius:
        np.testing.assert_array_equal(u, v)
        return
    assert norms.lp_norm(u, p) == about(radius, rel=1e-12)
    away = (v - u) / size
    dual = float(norms.lp_norm(away, norms.conjugate(p)))
    assert away @ (u / radius) == about(dual, rel=1e-11)


@pytest.mark.parametrize("p", ORDERS)
def test_subnormal_entries(p):
    u = norms.project_ball(np.array([3.0, 5e-324, -1e-310]), 1.0, p)
    np.testing.assert_allclose(u, [1.0, 0.0, 0.0], atol=1e-12)


@given(coordinates, radii, orders, seeds)
def test_feature_scale_is_a_change_of_coordinates(v, radius, p, seed):
    rng = np.random.default_rng(seed)
    scale = rng.uniform(0.1, 10.0, size=v.size) * rng.integers(0, 2, size=v.size)
    u = norms.project_ball(v, radius, p, scale)
    free = scale > 0
    assert not u[~free].any()
    plain = norms.project_ball(v[free] / scale[free], radius, p)
    np.testing.assert_array_equal(u[free], plain * scale[free])


@pytest.mark.parametrize("p", ORDERS)
def test_radius_zero_gives_zero(p):
    np.testing.assert_array_equal(norms.project_ball(np.array([1.0, -2.0]), 0.0, p), [0.0, 0.0])


def test_input_is_not_changed():
    v = np.array([3.0, -4.0])
    norms.project_ball(v, 1.0, 2.0)
    np.testing.assert_array_equal(v, [3.0, -4.0])
