"""Newton's method past saddles."""

from __future__ import annotations

import dataclasses

import numpy as np

from fastaif.solvers.newton import Local, NewtonResult
from fastaif.solvers.nonconvex_newton import minimize_nonconvex, past_saddles, steps_after


def double_well(x):
    """x⁴ − x² + y², with a saddle at 0."""
    H = np.diag([12.0 * x[0] ** 2 - 2.0, 2.0])
    gradient = np.array([4.0 * x[0] ** 3 - 2.0 * x[0], 2.0 * x[1]])
    return Local(x[0] ** 4 - x[0] ** 2 + x[1] ** 2, gradient, H, 1.0)


def descend(x):
    return minimize_nonconvex(double_well, x)


def test_another_descent_begins_beside_a_saddle():
    start = np.zeros(2)
    stuck = NewtonResult(start, double_well(start), 3, True, True)
    found = past_saddles(double_well, stuck, descend)
    np.testing.assert_allclose(np.abs(found.x), [0.5**0.5, 0.0], atol=1e-8)


def test_minima_and_descents_that_have_not_ended_stay():
    found = descend(np.array([0.3, 1.0]))
    assert past_saddles(double_well, found, descend) is found
    start = np.zeros(2)
    early = NewtonResult(start, double_well(start), 3, False, True)
    assert past_saddles(double_well, early, descend) is early
    flat = dataclasses.replace(
        early, converged=True, local=early.local._replace(hessian=np.zeros((2, 2)))
    )
    assert past_saddles(double_well, flat, descend) is flat


def test_few_steps_are_left_to_who_begins_where_others_were_cut_off():
    for taken, most, left in [(40, 2000, 100), (1970, 2000, 100), (60, 60, 3), (20, 60, 40)]:
        assert steps_after(taken, most) == left
