"""Kernel regression against its twin and against robust optima."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import gram

from support.makers import about, assert_close


def assert_agrees(result, wanted, tol=1e-9):
    """Everything that the one pass gives."""
    assert_close(result.influence, wanted["influence"], tol)
    assert_close(result.mixed, wanted["mixed"], tol)
    assert_close(result.hessian, wanted["hessian"], 1e-12)
    assert result.radius == about(wanted["radius"])
    assert result.value_derivative == about(wanted["value_derivative"], tol)
    if wanted["per_sample"] is None:
        with pytest.raises(ValueError, match="weight"):
            result.per_sample()
    else:
        assert_close(result.per_sample(), wanted["per_sample"], tol)


def radii(found, result, count=3, **attack):
    """From well inside the smooth part of the path, and no more than 1e-3, down to 1e-6.

    The validity radius is that of the parameters' path. A sample's attack may turn sooner, because
    the inputs move too: the twin sees that.
    """
    largest = min(1e-3, result.validity_radius / 10.0)
    while turns(found, largest, p=result.p, **attack):
        largest /= 3.0
    assert largest >= 1e-5, "these data were chosen to leave the slope a decade"
    return np.geomspace(largest, 1e-6, count)


def slope_of(eps, error):
    return np.polyfit(np.log(eps), np.log(error), 1)[0]


def turns(found, eps, p, **attack):
    """Whether some attack points elsewhere at the robust optimum, by 15 degrees or a sign."""
    X, theta, kept = found.data.X, found.theta, found.twin.moving | (found.twin.w > 0)
    moved, points, converged = gram.robust_fit(found.twin, theta, X, eps, p=p, **attack)
    if not converged:
        return True
    before, after = found.twin.input_gradients(theta, X), found.twin.input_gradients(moved, points)
    if np.isinf(p):
        return bool(np.any((np.sign(before) != np.sign(after))[kept]))
    lengths = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    return bool(np.any((np.sum(before * after, axis=1) < 0.966 * lengths)[kept]))
